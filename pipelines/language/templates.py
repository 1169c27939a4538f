"""Rendering of chat templates, which come with a model and are programs (Jinja) by whoever made it.

transformers' sandbox keeps a template away from Python's objects, but not from memory and time. So a template
that only lays out the messages (:func:`is_plain`) is rendered here at once, and any other in a process of its
own with limits (:mod:`pipelines.language.template_worker`), at the price of starting that process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from jinja2 import Environment, nodes
from jinja2.exceptions import TemplateError

from pipelines.errors import ChatTemplateFailed
from pipelines.graph.node import CancelToken

MAX_TEMPLATE: Final = 256 * 2**10
"""Characters of a template that is looked at; the longest in use have some 30,000."""
MAX_PLAIN: Final = 4096
SECONDS: Final = 10.0
"""After which a template has failed, start of its process included."""

Messages = Sequence[Mapping[str, str]]

_WORKER: Final = Path(__file__).with_name("template_worker.py")
_PLAIN_NODES: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.CondExpr, nodes.Const,
    nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
    nodes.Not, nodes.Add, nodes.Concat, nodes.Test, nodes.Filter, nodes.Call,
)  # fmt: skip
_PLAIN_FILTERS: Final = frozenset({"trim", "length"})
_PLAIN_METHODS: Final = frozenset({"strip", "lstrip", "rstrip"})
_OUT_OF_TIME: Final = (-9, -24)
"""Return codes of a process that RLIMIT_CPU ended (SIGKILL, SIGXCPU)."""
_REASONS: Final[Mapping[str, str]] = {
    "unsafe": "It tries to reach what a template must not touch ({message}).",
    "syntax": "It has a mistake in it ({message}).",
    "memory": "It asks for more memory than a template may have.",
    "time": "It did not come to an end.",
    "broken": "It fails ({message}).",
    "refused": "It refuses these messages ({message}).",
}


class TemplateRefused(Exception):
    """The template raised an error of its own, as many do for a system message."""


def is_plain(source: str) -> bool:
    """Whether a template can do nothing but lay out ``messages``: time and memory are bounded by its length.

    It has one level of loops, over ``messages`` only, and no assignments, macros, arithmetic or calls that
    could make a long text of a short one.
    """
    if len(source) > MAX_PLAIN:
        return False
    try:
        tree = Environment(autoescape=False).parse(source)
        return all(_is_plain_node(node) for node in _walk(tree))
    except (TemplateError, RecursionError):
        return False  # the process with limits says what is wrong


def _walk(tree: nodes.Node) -> list[nodes.Node]:
    found, rest = [], [tree]
    while rest:
        node = rest.pop()
        found.append(node)
        rest.extend(node.iter_child_nodes())
    return found


def _is_plain_node(node: nodes.Node) -> bool:
    match node:
        case nodes.For():
            over_messages = isinstance(node.iter, nodes.Name) and node.iter.name == "messages"
            named = isinstance(node.target, nodes.Name) and node.target.name != "messages"
            return over_messages and named and not node.recursive and node.find(nodes.For) is None
        case nodes.Filter():
            return node.name in _PLAIN_FILTERS and not node.args and not node.kwargs
        case nodes.Call():
            if isinstance(node.node, nodes.Name):
                return node.node.name == "raise_exception"
            return isinstance(node.node, nodes.Getattr) and node.node.attr in _PLAIN_METHODS and not node.args
        case nodes.Mod():  # "every other message"; with text on its left, % is formatting
            left = node.left.node if isinstance(node.left, nodes.Getattr) else None
            counter = isinstance(left, nodes.Name) and left.name == "loop"
            return counter and isinstance(node.right, nodes.Const)
        case nodes.Getattr():
            return not node.attr.startswith("_")
        case _:
            return isinstance(node, _PLAIN_NODES)


def render(
    source: str, messages: Messages, variables: Mapping[str, str], model: str, cancel: CancelToken
) -> str:
    """The text of ``messages`` with the start of an answer, by the template ``source``.

    Args:
        source: a Jinja template as transformers takes it.
        messages: ``role`` and ``content`` each.
        variables: what else it can use (``bos_token``…).
        model: its name in an error.
        cancel: polled while a process renders.

    Raises:
        TemplateRefused: the template itself raised an error.
        ChatTemplateFailed: it is broken, reaches for what it must not, or takes too much time or memory.
        Cancelled: the user cancelled.
    """
    if len(source) > MAX_TEMPLATE:
        reason = f"It has {len(source):,} characters; at most {MAX_TEMPLATE:,} are read."
        raise ChatTemplateFailed(model=model, reason=reason)
    request = {
        "template": source,
        "messages": [dict(message) for message in messages],
        "variables": dict(variables),
    }
    if is_plain(source):
        from pipelines.language.template_worker import render as render_here

        answer = render_here(request, limited=False)
    else:
        answer = _render_apart(json.dumps(request), cancel)
    if "text" in answer:
        return answer["text"]
    if answer["fault"] == "refused":
        raise TemplateRefused(answer["message"])
    reason = _REASONS[answer["fault"]].replace("{message}", answer.get("message", ""))
    raise ChatTemplateFailed(model=model, reason=reason)


def _render_apart(request: str, cancel: CancelToken) -> dict[str, str]:
    """One request to the process with limits; ended when it takes too long or the user cancels."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "USE_TORCH": "0", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-P", str(_WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env=environment, encoding="utf-8",
    ) as process:  # fmt: skip
        try:
            output = _output(process, request, cancel)
        finally:
            process.kill()
    if output is None:
        return {"fault": "time"}
    try:
        answer: dict[str, str] = json.loads(output)
    except ValueError:  # ended by a limit, or by a crash, before it could answer
        if process.returncode in _OUT_OF_TIME:
            return {"fault": "time"}
        return {"fault": "broken", "message": f"its process ended with code {process.returncode}"}
    return answer


def _output(process: subprocess.Popen[str], request: str, cancel: CancelToken) -> str | None:
    """What the process wrote; ``None`` if it took longer than :data:`SECONDS`."""
    end = time.monotonic() + SECONDS
    pending: str | None = request
    while time.monotonic() < end:
        cancel.check()
        try:
            return process.communicate(pending, timeout=0.1)[0]
        except subprocess.TimeoutExpired:
            pending = None  # communicate goes on with what it was given first
    return None
