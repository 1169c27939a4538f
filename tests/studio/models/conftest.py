"""One window for the tests of a module that say how it must be before each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QThreadPool
from PySide6.QtWidgets import QApplication

from studio.app import StudioApp
from studio.appearance import apply_theme
from studio.assembly import assemble
from studio.documents.document import GraphDocument
from studio.settings import SettingsStore
from tests.helpers.studio_fakes import FakeBridge, template

Shared = tuple[StudioApp, FakeBridge]


@pytest.fixture(scope="module")
def _window(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    bridge = FakeBridge(tmp_path_factory.mktemp("pictures"))
    settings = SettingsStore(None)
    settings.change(theme="dark", reduced_motion=True)
    parts = assemble(GraphDocument(template()), bridge, settings)
    apply_theme(parts)
    studio = StudioApp(parts, None)
    studio.window.resize(1280, 800)
    studio.window.show()
    yield studio, bridge
    studio.window.close()
    QThreadPool.globalInstance().waitForDone()
    QApplication.processEvents()
    studio.window.deleteLater()
    QApplication.processEvents()


@pytest.fixture
def shared_studio(_window: Shared) -> Callable[[], Shared]:
    """The module's window with a new document, nothing asked of its engine, and nothing said."""

    def fresh() -> Shared:
        studio, bridge = _window
        getting = studio.window.actions_.models.getting
        getting.waiting.give_up()
        getting.downloads.all.clear()
        getting.downloads.rate = 0.0
        bridge.submitted.clear()
        bridge.model_requests.clear()
        studio.parts.document.new(template(), "Fresh")
        studio.parts.models.models = ()
        studio.window.banner.hide()
        studio.window.show_workspace("create")
        return studio, bridge

    return fresh
