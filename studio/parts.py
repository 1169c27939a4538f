"""What a window is made of; :mod:`studio.assembly` puts it together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from studio.create.binding import Binding
from studio.documents.consent import Consent
from studio.documents.document import GraphDocument
from studio.documents.open_documents import OpenDocuments
from studio.engine.runs import RunTracker
from studio.models.choices import ModelChoices
from studio.pictures.results import ResultList
from studio.settings import SettingsStore


@dataclass(frozen=True, slots=True)
class Parts:
    """``bridge`` is a ``studio.engine.bridge.EngineBridge`` or what a test puts in its place; ``make_graph``
    makes the Graph workspace when it is first shown, ``make_inspector`` the inspector that goes with it.
    """

    document: GraphDocument
    tabs: OpenDocuments
    bridge: Any
    settings: SettingsStore
    results: ResultList
    tracker: RunTracker
    models: ModelChoices
    binding: Binding
    consent: Consent
    make_graph: Callable[[GraphDocument, Any], Any]
    make_inspector: Callable[[GraphDocument, Any], Any]
    make_canvas: Callable[[Any, Any], tuple[Any, Any]]
    """Makes the Canvas workspace and its actions, of these parts and a window, when it is first shown."""
    make_models: Callable[[Any, Any], Any]
    """Makes the Models workspace, of these parts and a window, when it is first shown."""
    make_viewer: Callable[[Any], Any]
    """Makes the viewer that goes with a Graph workspace."""
    graph_modules: Callable[[], list[str]]
    """What ``make_graph`` and ``make_inspector`` import."""
    read_only: bool = False
