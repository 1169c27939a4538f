"""A window that shows Create on a template."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from studio.app import StudioApp
from tests.helpers.create_desk import Desk
from tests.helpers.studio_fakes import FakeBridge, template


@pytest.fixture
def desk(open_studio: Callable[..., tuple[StudioApp, FakeBridge]]) -> Desk:
    studio, bridge = open_studio(template())
    studio.window.show_workspace("create")
    bridge.tell_ready()
    return Desk(studio, bridge)
