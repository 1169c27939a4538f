"""Nodes that hold, join and change text, and read and write text files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pipelines.errors import FileMissing, InvalidParameter, TextNotSaved, TextUnreadable
from pipelines.files import atomic_write, bytes_text, is_folder, open_file
from pipelines.graph.node import (
    Context,
    Input,
    Inputs,
    Node,
    NodeParams,
    Output,
    Outputs,
    Param,
    Resources,
    file_fingerprint,
)
from pipelines.graph.types import Text

MAX_BYTES: Final = 16 * 2**20
"""Largest text file that is read."""

_SLOT: Final = re.compile(r"\{\{|\}\}|\{([^\W\d]\w{0,63})\}")
_RESERVED: Final = frozenset({"template"})


def slots(template: str) -> tuple[str, ...]:
    """The names in ``{braces}``, each once; ``{{``, ``}}`` and braces round anything else are text."""
    names = (match[1] for match in _SLOT.finditer(template) if match[1] and match[1] not in _RESERVED)
    return tuple(dict.fromkeys(names))


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """``template`` with its slots filled. What is filled in is not looked at again."""

    def replacement(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        return str(values.get(match[1], match[0]))

    return _SLOT.sub(replacement, template)


def unescaped(text: str) -> str:
    r"""``\n`` and ``\t``, as people write them into a field of one line, as line break and tab."""
    return text.replace("\\n", "\n").replace("\\t", "\t")


class ConstantText(Node):
    """A text to use in one or more places."""

    id, title, category = "text.constant", "Text", "Text"
    outputs = (Output("text", Text),)
    preview = "text"

    class Params(NodeParams):
        text: str = Param(
            "", "Text", "The text itself.", widget="multiline", max_length=1_000_000, primary=True
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"text": params.text}


class JoinText(Node):
    """Put two texts one after the other; an empty one leaves no separator behind."""

    id, title, category = "text.join", "Join texts", "Text"
    inputs = (
        Input("a", Text, "First text", "What comes first.", default="", multiline=True),
        Input("b", Text, "Second text", "What comes after it.", default="", multiline=True),
    )
    outputs = (Output("text", Text),)
    preview = "text"

    class Params(NodeParams):
        separator: str = Param(
            " ", "Separator", "What stands between them; \\n is a line break.", max_length=1000, primary=True
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        parts = [part for part in (inputs.get("a", ""), inputs.get("b", "")) if part]
        return {"text": unescaped(params.separator).join(parts)}


class TemplateText(Node):
    """Fill texts into the {slots} of a template; every slot becomes an input."""

    id, title, category = "text.template", "Template", "Text"
    outputs = (Output("text", Text),)
    preview = "text"

    class Params(NodeParams):
        template: str = Param(
            "{subject}, {style}", "Template",
            "Text with slots in braces, such as {subject}; write {{ and }} for braces themselves.",
            widget="multiline", max_length=100_000, primary=True,
        )  # fmt: skip

    @classmethod
    def input_ports(cls, params: Mapping[str, Any]) -> tuple[Input, ...]:
        template = params.get("template", cls.Params().template)
        names = slots(template) if isinstance(template, str) else ()
        return tuple(
            Input(name, Text, description=f"What stands for {{{name}}}.", multiline=True) for name in names
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"text": fill_template(params.template, inputs)}


class ReplaceText(Node):
    """Replace one piece of a text by another wherever it stands."""

    id, title, category = "text.replace", "Replace in text", "Text"
    inputs = (Input("text", Text, description="The text to change.", default="", multiline=True),)
    outputs = (Output("text", Text),)
    preview = "text"

    class Params(NodeParams):
        find: str = Param(
            "", "Find", "The piece to look for; \\n is a line break.", max_length=10_000, primary=True
        )
        replace: str = Param("", "Replace with", "What to put in its place.", max_length=10_000, primary=True)

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        text, find = inputs.get("text", ""), unescaped(params.find)
        return {"text": text.replace(find, unescaped(params.replace)) if find else text}


class ChangeCase(Node):
    """Write a text in small or capital letters, or trim it."""

    id, title, category = "text.case", "Letters of text", "Text"
    inputs = (Input("text", Text, description="The text to change.", default="", multiline=True),)
    outputs = (Output("text", Text),)
    preview = "text"

    class Params(NodeParams):
        operation: Literal["lower", "upper", "title", "sentence", "trim"] = Param(
            "lower",
            "Letters",
            "What to do; “trim” removes spaces and line breaks at both ends.",
            primary=True,
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        text: str = inputs.get("text", "")
        match params.operation:
            case "lower":
                text = text.lower()
            case "upper":
                text = text.upper()
            case "title":
                text = text.title()
            case "sentence":
                text = text[:1].upper() + text[1:]
            case "trim":
                text = text.strip()
        return {"text": text}


class LoadText(Node):
    """Read a text file (UTF-8, or UTF-16 with its mark)."""

    id, title, category, lane = "text.load", "Open text", "Text", "io"
    outputs = (Output("text", Text),)
    preview = "text"

    class Params(NodeParams):
        path: str = Param("", "File", "The text file to read.", widget="file", max_length=4096, primary=True)

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        return file_fingerprint(resources.path(str(params.get("path", ""))))

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"text": read_text(context.path(params.path))}


class SaveText(Node):
    """Write a text into a file, whole or not at all."""

    id, title, category, lane = "text.save", "Save text", "Text", "io"
    inputs = (Input("text", Text, description="The text to save.", multiline=True),)
    outputs = (Output("path", Text, "File", "Where it was saved."),)
    saves = True
    preview = "text"

    class Params(NodeParams):
        path: str = Param(
            "", "File", "Where to save it; empty is text.txt in the folder for pictures.",
            widget="save", max_length=4096, empty="text.txt", primary=True,
        )  # fmt: skip
        existing: Literal["keep both", "replace"] = Param(
            "keep both", "If it exists", "A number is added to the new name, or the old file is replaced."
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        path = context.path(params.path) if params.path else context.output_dir / "text.txt"
        if is_folder(path):
            path = path / "text.txt"
        text = inputs["text"].encode("utf-8", "replace")
        keep = params.existing == "keep both"
        return {"path": str(atomic_write(path, text, unique=keep, failure=TextNotSaved))}


def read_text(path: Path) -> str:
    """A text file's content without its byte order mark, with ``\\n`` at the end of lines.

    Raises:
        FileMissing, TextUnreadable: as their texts say.
        InvalidParameter: the path is empty (a folder).
    """
    try:
        if path.is_dir():
            raise InvalidParameter(
                title="File", value=str(path), reason="It is a folder, not a file.", port="path"
            )
        with open_file(path) as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise FileMissing(path=str(path)) from error
    except (OSError, ValueError) as error:
        reason = f"{getattr(error, 'strerror', None) or error}."
        raise TextUnreadable(path=str(path), reason=reason) from error
    if len(data) > MAX_BYTES:
        reason = f"It is larger than {bytes_text(MAX_BYTES)}."
        raise TextUnreadable(path=str(path), reason=reason)
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"It is not UTF-8 text (byte {error.start})."
        raise TextUnreadable(path=str(path), reason=reason) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


NODES = (ConstantText, JoinText, TemplateText, ReplaceText, ChangeCase, LoadText, SaveText)
