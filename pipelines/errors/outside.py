"""Nodes from outside: packages and files of the user's that bring node types."""

from __future__ import annotations

from pipelines.errors.base import DiptychError
from pipelines.errors.files import SaveFailed


class NodePackageNotHere(DiptychError):
    """A document says which package a node type comes from, and that isn't in use here."""

    what = "The node type {type} comes from the package {name} {version}, which is not in use here."
    why = "Nodes from outside only work where they are installed and agreed to."
    remedy = (
        "Install it, then agree to it under Nodes from outside. The node's settings are kept as they are."
    )


class NodeFileNotHere(DiptychError):
    """The same for a single file."""

    what = "The node type {type} comes from the file {name}, which is not in use here."
    why = "Nodes from outside only work where their file is and was agreed to."
    remedy = (
        "Put the file into your folder for nodes, then agree to it under Nodes from outside. "
        "The node's settings are kept as they are."
    )


class OutsideNotFound(DiptychError):
    what = "There are no nodes called {name}."
    why = "Looked for in {folder} and among the installed packages."
    remedy = "There are: {known}."


class OutsideFileUnusable(DiptychError):
    """A file of nodes that isn't even read, or can't be."""

    what = "{name} can't be used as a file of nodes."
    why = "{reason}"
    remedy = "Put a plain Python file of at most {limit} into the folder for nodes."


class OutsideChanged(DiptychError):
    what = "{name} changed since it was looked at."
    why = "What would run now is not what you have seen."
    remedy = "Look at it again, and agree to it then."


class OutsideNotLoaded(DiptychError):
    """Its code raised while it was read."""

    what = "The nodes of {origin} can't be used: its code stops with an error."
    why = "{place}: {kind}: {message}"
    remedy = "Correct it there, or ask who made it. Everything else goes on without it."


class OutsideEndedEngine(DiptychError):
    what = "The nodes of {origin} are left out: the engine ended while their code was being read."
    why = "It would end every engine that is started."
    remedy = "Correct the code, or choose Reload under Nodes from outside to try it once more."


class OutsideTooSlow(DiptychError):
    """A warning: runs begin without them."""

    what = "The nodes of {origin} are not there yet: their code is still being read after {seconds} s."
    why = "Code that a file runs when it is read should only define its nodes."
    remedy = "Move what takes time into the nodes' run. What needs these nodes has to wait for them."


class NoNodesFound(DiptychError):
    what = "{origin} has no nodes in it."
    why = "There is neither a list called NODES nor a subclass of Node."
    remedy = "Write a class that derives from pipelines.graph.node.Node, or list your classes in NODES."


class NodeTypeWrong(DiptychError):
    """A class doesn't keep to what a node type is."""

    what = "The node {name} of {origin} can't be used."
    why = "{place}: {reason}"
    remedy = "{hint}"


class NodeTypeTaken(DiptychError):
    what = "The node {name} of {origin} can't be used: the id {id} is taken by {owner}."
    why = "Documents name node types by their id ({place})."
    remedy = "Give it an id that begins with a word of your own, such as “{suggestion}”."


class OutsideNodeFailed(DiptychError):
    """Code that is not ours raised."""

    what = "{title} stopped because of an error in the code of {origin}."
    why = "{place}: {kind}: {message}"
    remedy = "Correct it there, or show this to who made it. The rest of the graph is not affected."


class OutsideOutputWrong(DiptychError):
    """A node returned what it hasn't declared."""

    what = "{title} gave something that {origin} doesn't declare."
    why = "{reason}"
    remedy = "Correct what its run returns, or show this to who made it."


class AgreementsNotKept(SaveFailed):
    what = "What you agreed to could not be written to {path}."
    why = "{reason}"
    remedy = "Make the folder writable, then agree again."


class NodeNameUnusable(DiptychError):
    what = "“{name}” can't be the name of a file of nodes."
    why = "{reason}"
    remedy = "Use small letters, digits and underscores, beginning with a letter, such as “soft_glow”."


class NodeFileThere(DiptychError):
    what = "{path} is there already, and is not replaced."
    remedy = "Choose another name, or move the file away."
