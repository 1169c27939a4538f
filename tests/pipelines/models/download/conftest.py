"""A server of the tests' own, and impatient downloads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipelines.models.download.control import Limits
from tests.helpers.file_server import Server, file_server


@pytest.fixture
def server() -> Iterator[Server]:
    with file_server() as made:
        yield made


@pytest.fixture
def limits() -> Limits:
    return Limits(timeout=2, attempts=3, backoff=0.01, longest_wait=0.05, slow_seconds=0.2, slow_bytes=1000)
