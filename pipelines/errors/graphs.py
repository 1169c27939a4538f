"""Documents, and values on their way through a graph."""

from __future__ import annotations

from pipelines.errors.base import DiptychError


class GraphUnreadable(DiptychError):
    """The file is not a document of ours."""

    what = "{name} can't be opened."
    why = "{reason}"
    remedy = "Check that it is a Diptych graph (.json or .diptych), or restore an earlier copy."


class GraphFromTheFuture(DiptychError):
    """The format number is higher than this version knows."""

    what = "{name} was made by a newer version of Diptych (format {found}, this version knows {known})."
    remedy = "Update Diptych to run or change it. The file is not touched."


class GraphDamaged(DiptychError):
    """A warning: what could be read of a damaged file is shown as a new document."""

    what = "{name} is damaged, and was opened as far as it can be read."
    why = "{reason} {lost}"
    remedy = "It is a new document, not saved yet; the file is as it was. Earlier versions may have the rest."


class DocumentReadOnly(DiptychError):
    """A document that can be looked at, not changed."""

    what = "{name} can be looked at, but not changed or saved here."
    why = "It was made by a newer version of Diptych (format {found}, this version knows {known})."
    remedy = "Update Diptych to change it. The file is not touched."


class UnknownNodeType(DiptychError):
    what = "The node type {type} is not known."
    why = "It comes from a newer version or from an extension that is not installed."
    remedy = "Install what provides it, or remove the node. Its settings are kept as they are."


class NodeFromTheFuture(DiptychError):
    what = "{title} was made by a newer version of Diptych (version {found}, this one knows {known})."
    remedy = "Update Diptych to run it. Its settings are kept as they are."


class InvalidParameter(DiptychError):
    what = "{title} can't be {value}."
    why = "{reason}"
    remedy = "Change it to a value in range."


class UnknownParameter(DiptychError):
    what = "{node_title} has no setting called {name}."
    remedy = "Check the spelling; it knows: {known}."


class MissingInput(DiptychError):
    what = "Nothing is connected to {port_title}."
    remedy = "Connect a {type} to it."


class DanglingLink(DiptychError):
    what = "The link to {port_title} comes from a node that isn't there: {source}."
    remedy = "Connect it again, or remove the link."


class UnknownOutput(DiptychError):
    what = "The node {source} has no output called {output}."
    remedy = "Connect {port_title} to one of: {known}."


class UnknownInput(DiptychError):
    what = "There is no input called {name} here."
    remedy = "Remove the link, or connect it to one of: {known}."


class BothLiteralAndLink(DiptychError):
    what = "{port_title} has both a value and a link."
    remedy = "Keep one of them."


class IncompatibleLink(DiptychError):
    what = "{port_title} takes {expected}, but gets {found}."
    remedy = "Connect a {expected} instead."


class CycleFound(DiptychError):
    what = "These nodes feed each other in a circle: {nodes}."
    why = "A node can't run before its own result is there."
    remedy = "Remove one of the links between them."


class UnknownTarget(DiptychError):
    what = "There is no node called {target} to run."
    remedy = "The graph has: {known}."


class BadNodeId(DiptychError):
    what = "{id} is not a usable node id."
    why = "Ids have 1 to 64 letters, digits, underscores, colons or hyphens."
    remedy = "Rename the node in the file."


class UnknownSubgraph(DiptychError):
    what = "There is no subgraph called {name} in this document."
    remedy = "Choose one of: {known}."


class SubgraphRecursion(DiptychError):
    what = "The subgraph {name} contains itself: {path}."
    why = "It would never end."
    remedy = "Remove one of these nodes from the subgraph it is in."


class SubgraphBroken(DiptychError):
    what = "The subgraph {name} can't be used."
    why = "{reason}"
    remedy = "Repair the subgraph, or remove the node that uses it."


class GroupHasNodeBetween(DiptychError):
    what = "These nodes can't become one."
    why = "They feed {nodes}, which feeds them again: the new node would need its own result."
    remedy = "Select these nodes, too."


class SubgraphNotPlaced(DiptychError):
    what = "The subgraph {name} can't be put here."
    why = "It would be inside itself."
    remedy = "Put it elsewhere, or make this one independent first."


class CanvasChanged(DiptychError):
    what = "What was made of the canvas has no place on it any more."
    why = "The canvas was scaled, or another picture was put on it, while it was made."
    remedy = "Do the same again."


class ListLengthMismatch(DiptychError):
    what = "Two lists of different lengths meet: {first} has {first_length} items, {second} {second_length}."
    remedy = "Make them equally long, or give a single value."


class NotExecuted(DiptychError):
    """A node was blocked by a failure upstream."""

    what = "This step could not run."
    why = "A step it needs failed: {source}."
    remedy = "Fix that step and run again."


class ArithmeticFailed(DiptychError):
    what = "{left} {operation} {right} has no finite result."
    remedy = "Change one of the numbers."


class TableUnreadable(DiptychError):
    what = "The table {path} can't be read."
    why = "{reason}"
    remedy = "Give a CSV file with a header line, or a JSONL file with one object a line."


class TooManyItems(DiptychError):
    what = "{count} items are too many at once."
    why = "The limit is {limit}, so that memory is never exhausted."
    remedy = "Use fewer, or work in parts."


class SheetEmpty(DiptychError):
    what = "There is no picture to put on the sheet."
    why = "The list that arrives here is empty."
    remedy = "Check what makes the list: a folder may be empty, or nothing in it may fit the pattern."


class ItemMissing(DiptychError):
    what = "There is no item {index} in the list: it has {count}."
    remedy = "Choose a smaller number; the first item is 0, the last is -1."
