"""Nodes whose code is not ours: whatever it raises is told as what it is, and fails that node alone."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from pipelines.errors import ErrorInfo, OutsideNodeFailed, UnexpectedError, describe
from pipelines.graph.planned import PlannedNode
from pipelines.graph.registry import NodeSchema


def is_foreign(schema: NodeSchema | None) -> bool:
    """Whether a type's code comes from outside."""
    return schema is not None and schema.origin is not None


def foreign_error(planned: PlannedNode, error: BaseException) -> ErrorInfo:
    """Any exception as an error of this node; of one from outside with the place in its code."""
    info = describe(error)
    if info.code != UnexpectedError.__name__ or planned.schema is None or planned.schema.origin is None:
        return info
    failed = OutsideNodeFailed(
        title=planned.title, origin=str(planned.schema.origin), kind=type(error).__name__,
        message=f"{str(error).strip()[:2_000].rstrip('.') or 'it gave no reason'}.",
        place=_place(error, planned.schema),
    )  # fmt: skip
    return failed.info(info.details)


def _place(error: BaseException, schema: NodeSchema) -> str:
    """File and line in the code of the type where an exception came from."""
    module = sys.modules.get(schema.node.__module__)
    file = str(getattr(module, "__file__", "") or "")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file] or frames[-1:]
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}" if own else str(schema.origin)
