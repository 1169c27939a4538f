"""Puts together what a window is made of. Workspaces are imported and made when they are first shown."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from PySide6.QtWidgets import QWidget

from studio.create.binding import Binding
from studio.documents.consent import Consent
from studio.documents.document import GraphDocument
from studio.documents.open_documents import OpenDocuments
from studio.engine.runs import RunTracker
from studio.models.choices import ModelChoices
from studio.parts import Parts
from studio.pictures.results import ResultList
from studio.settings import SettingsStore


def assemble(
    document: GraphDocument,
    bridge: Any,
    settings: SettingsStore,
    *,
    make_graph: Callable[[GraphDocument, Any], Any] | None = None,
    make_inspector: Callable[[GraphDocument, Any], Any] | None = None,
    make_canvas: Callable[[Any, Any], tuple[Any, Any]] | None = None,
    read_only: bool = False,
) -> Parts:
    """The parts that follow from a document, a bridge and settings."""
    results = ResultList(document)
    models = ModelChoices(document, bridge.list_models)
    bridge.device_changed.connect(models.set_device)
    return Parts(
        document,
        OpenDocuments(document, document),
        bridge,
        settings,
        results,
        RunTracker(document, bridge, results, document),
        models,
        Binding(document, document),
        Consent(document, settings),
        make_graph or _graph_workspace,
        make_inspector or _inspector,
        make_canvas or _canvas_workspace,
        _models_workspace,
        _viewer,
        graph_modules,
        read_only,
    )


LEAVES_FIRST: Final = (
    "style",
    "signatures",
    "face",
    "run_state",
    "items.texts",
    "layout",
    "box_layer",
    "dot_layer",
    "scene",
    "wire_index",
    "guides",
    "value_words",
    "tips",
    "eye",
    "view",
    "actions",
)
"""Modules of the canvas to import before the rest: each then brings few others along, and no import is
felt."""


def graph_modules() -> list[str]:
    """The modules behind the canvas and its inspector, to be imported one by one, from the leaves up."""
    import studio.canvas

    folder = Path(studio.canvas.__path__[0])
    parts = [(folder, "studio.canvas.")]
    parts += [(item, f"studio.canvas.{item.name}.") for item in sorted(folder.iterdir()) if item.is_dir()]
    found = [module.name for path, prefix in parts for module in pkgutil.iter_modules([str(path)], prefix)]
    names = [name for name in found if not name.startswith("studio.canvas.bench")]
    first = [f"studio.canvas.{name}" for name in LEAVES_FIRST]
    return [*first, "pipelines.graph.plan", *names, "studio.panels.viewer", "studio.panels.inspector"]


def _graph_workspace(document: GraphDocument, bridge: Any) -> QWidget:
    from studio.canvas.workspace import GraphWorkspace

    return GraphWorkspace(document, bridge)


def _canvas_workspace(parts: Parts, shell: Any) -> tuple[QWidget, Any]:
    from studio.inpaint.canvas_actions import CanvasActions
    from studio.inpaint.workspace import CanvasWorkspace

    page = CanvasWorkspace(parts, shell.stack)
    return page, CanvasActions(parts, shell, page)


def _models_workspace(parts: Parts, window: Any) -> QWidget:
    from studio.models.workspace import ModelsWorkspace

    return ModelsWorkspace(parts, window.actions_.models, window.commands)


def _viewer(graph: Any) -> QWidget:
    from studio.panels.viewer import ViewerPanel

    return ViewerPanel(graph.display.viewer)


def _inspector(document: GraphDocument, graph: Any) -> QWidget:
    from studio.panels.inspector import Inspector

    return Inspector(graph.canvas, graph.problems, graph.run_state)
