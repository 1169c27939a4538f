"""What stays in memory, with models that are only numbers."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from pipelines.errors import Cancelled, ModelUnreadable, OutOfMemory
from pipelines.graph.values import ModelHandle
from pipelines.models.residency import Residency
from tests.helpers.model_files import LoadingContext


@pytest.fixture(autouse=True)
def small_heap() -> Iterator[None]:
    """Collecting garbage takes long where the libraries are imported; what they hold is left out of it."""
    gc.freeze()
    yield
    gc.unfreeze()


@dataclass
class Model:
    name: str
    size: int
    place: str
    fingerprint: str


@dataclass
class FakeLoader:
    sizes: dict[str, int]
    loads: list[str] = field(default_factory=list)
    moves: list[tuple[str, str]] = field(default_factory=list)
    on_load: Callable[[str], None] = lambda name: None

    def load(self, handle, device, context) -> Model:
        self.loads.append(handle.id)
        self.on_load(handle.id)
        return Model(handle.id, self.sizes[handle.id], device, handle.fingerprint)

    def estimate(self, handle, device) -> int:
        return self.sizes[handle.id]

    def size(self, loaded) -> int:
        return loaded.size

    def move(self, loaded, device) -> None:
        self.moves.append((loaded.name, device))
        loaded.place = device

    def accelerator(self, device) -> None:
        return None

    def movable(self, loaded) -> bool:
        return not loaded.name.startswith("fixed")


def handle(name: str, fingerprint: str = "1", **changes: str) -> ModelHandle:
    return ModelHandle("diffusion", name, f"/{name}", "sd", fingerprint=fingerprint, **changes)


def residency(loader: FakeLoader, **budgets: int) -> Residency:
    return Residency(loader, lambda device, held: budgets[device.split(":")[0]])


def held(manager: Residency) -> list[tuple[str, str]]:
    return [(item.model, item.place) for item in manager.held()]


def test_a_model_is_read_once() -> None:
    loader = FakeLoader({"a": 10})
    manager = residency(loader, cpu=100)
    for _ in range(3):
        with manager.use(handle("a"), LoadingContext()) as model:
            assert model.name == "a"
    assert loader.loads == ["a"]
    with manager.use(handle("a", dtype="fp32"), LoadingContext()):
        assert loader.loads == ["a", "a"]


def test_the_least_recently_used_goes_first() -> None:
    loader = FakeLoader({"a": 40, "b": 40, "c": 40})
    manager = residency(loader, cpu=100)
    for name in ("a", "b", "a", "c"):
        with manager.use(handle(name), LoadingContext()):
            pass
    assert held(manager) == [("a", "cpu"), ("c", "cpu")]


def test_a_card_makes_room_into_main_memory_and_back() -> None:
    loader = FakeLoader({"a": 60, "b": 60})
    manager = residency(loader, cuda=100, cpu=150)
    context = LoadingContext("cuda:0")
    for name in ("a", "b", "a"):
        with manager.use(handle(name), context) as model:
            assert model.place == "cuda:0"
    assert loader.loads == ["a", "b"]
    assert loader.moves == [("a", "cpu"), ("b", "cpu"), ("a", "cuda:0")]
    assert held(manager) == [("b", "cpu"), ("a", "cuda:0")]


def test_what_does_not_fit_into_main_memory_or_cannot_move_is_dropped() -> None:
    loader = FakeLoader({"a": 60, "b": 60, "fixed": 60})
    manager = residency(loader, cuda=100, cpu=10)
    for name in ("a", "b"):
        with manager.use(handle(name), LoadingContext("cuda:0")):
            pass
    assert held(manager) == [("b", "cuda:0")]
    manager = residency(loader, cuda=100, cpu=100)
    for name in ("fixed", "b"):
        with manager.use(handle(name), LoadingContext("cuda:0")):
            pass
    assert held(manager) == [("b", "cuda:0")]


def test_a_waiting_model_gives_way_in_main_memory() -> None:
    loader = FakeLoader({"a": 60, "b": 60, "c": 60})
    manager = residency(loader, cuda=100, cpu=100)
    for name in ("a", "b", "c"):
        with manager.use(handle(name), LoadingContext("cuda:0")):
            pass
    assert held(manager) == [("b", "cpu"), ("c", "cuda:0")]


def test_a_model_in_use_is_never_evicted() -> None:
    loader = FakeLoader({"a": 60, "b": 60})
    manager = residency(loader, cpu=100)
    with (
        manager.use(handle("a"), LoadingContext()) as model,
        pytest.raises(OutOfMemory, match="beside a"),
        manager.use(handle("b"), LoadingContext()),
    ):
        pass
    assert model.place == "cpu"
    assert loader.loads == ["a"]
    with manager.use(handle("b"), LoadingContext()):
        assert held(manager) == [("b", "cpu")]


def test_too_large_for_the_device() -> None:
    with (
        pytest.raises(OutOfMemory, match="needs"),
        residency(FakeLoader({"a": 101}), cpu=100).use(handle("a"), LoadingContext()),
    ):
        pass


def test_a_replaced_file_is_read_again_and_the_old_one_goes() -> None:
    loader = FakeLoader({"a": 60})
    manager = residency(loader, cpu=200)
    with (
        manager.use(handle("a", "1"), LoadingContext()) as old,
        manager.use(handle("a", "2"), LoadingContext()) as new,
    ):
        assert (old.fingerprint, new.fingerprint) == ("1", "2")
        assert len(manager.held()) == 2
    assert loader.loads == ["a", "a"]
    assert held(manager) == [("a", "cpu")]
    with manager.use(handle("a", "2"), LoadingContext()) as again:
        assert again is new


def test_a_failed_load_leaves_nothing_behind() -> None:
    def fail(name: str) -> None:
        raise ModelUnreadable(model=name, reason="No.")

    loader = FakeLoader({"a": 60}, on_load=fail)
    manager = residency(loader, cpu=100)
    with pytest.raises(ModelUnreadable), manager.use(handle("a"), LoadingContext()):
        pass
    assert manager.held() == ()
    loader.on_load = lambda name: None
    with manager.use(handle("a"), LoadingContext()):
        pass


def test_memory_that_ran_out_after_all_is_answered_by_dropping_what_is_idle() -> None:
    loader = FakeLoader({"a": 10, "b": 10})
    manager = residency(loader, cpu=100)
    with manager.use(handle("a"), LoadingContext()):
        pass

    def fail_once(name: str) -> None:
        if loader.loads.count("b") == 1:
            raise OutOfMemory(device="cpu", reason="Full.")

    loader.on_load = fail_once
    with manager.use(handle("b"), LoadingContext()):
        assert held(manager) == [("b", "cpu")]
    assert loader.loads == ["a", "b", "b"]


def test_an_error_in_the_block_releases_the_model() -> None:
    manager = residency(FakeLoader({"a": 10}), cpu=100)
    with pytest.raises(KeyError), manager.use(handle("a"), LoadingContext()):
        raise KeyError
    assert [item.in_use for item in manager.held()] == [False]
    assert manager.free() == 10
    assert manager.held() == ()


def test_free_keeps_what_is_in_use() -> None:
    manager = residency(FakeLoader({"a": 10, "b": 20}), cpu=100)
    with manager.use(handle("b"), LoadingContext()):
        pass
    with manager.use(handle("a"), LoadingContext()) as model:
        assert manager.free() == 20
        assert held(manager) == [("a", "cpu")]
        assert model.size == 10


def test_two_lanes_read_a_model_once_and_a_waiting_one_can_be_cancelled() -> None:
    reading, go_on = threading.Event(), threading.Event()

    def wait(name: str) -> None:
        reading.set()
        assert go_on.wait(10)

    loader = FakeLoader({"a": 10}, on_load=wait)
    manager = residency(loader, cpu=100)
    used: list[object] = []

    def use() -> None:
        with manager.use(handle("a"), LoadingContext()) as model:
            used.append(model)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert reading.wait(10)
    impatient = LoadingContext()
    impatient.cancel.cancel()
    with pytest.raises(Cancelled), manager.use(handle("a"), impatient):
        pass
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert loader.loads == ["a"]
    assert len(used) == 3
    assert all(model is used[0] for model in used)


def test_many_threads_stay_within_the_budget() -> None:
    loader = FakeLoader(dict.fromkeys("abcdef", 30))
    manager = residency(loader, cpu=100)
    largest: list[int] = []
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for step in range(12):
                with manager.use(handle("abcdef"[(seed * 7 + step * step) % 6]), LoadingContext()):
                    largest.append(sum(item.bytes for item in manager.held()))
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert max(largest) <= 100
    assert not any(item.in_use for item in manager.held())
