from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.stub_nodes import RUNS, Bench


@pytest.fixture
def runs() -> Counter[str]:
    """How often each node type ran in this test."""
    RUNS.clear()
    return RUNS


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.lanes.close()
