"""Downloads beside drawing: paused, gone on with by the next engine, cancelled; offers for this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.engine import downloads as module
from pipelines.engine.protocol import (
    DownloadInfo,
    Downloads,
    DownloadTold,
    JudgeModels,
    ListDownloads,
    LookAtSource,
    ModelsJudged,
    SetOffline,
    SourceSeen,
    StartDownload,
    SteerDownload,
)
from pipelines.models.download.control import Limits
from pipelines.models.download.desk import AT_ONCE
from pipelines.models.download.jobs import STAGING, Downloader
from tests.helpers.engine_drive import Drive, in_process
from tests.helpers.file_server import Server, file_server
from tests.helpers.model_files import sparse
from tests.helpers.stub_nodes import REGISTRY

LORA = {"lora_unet_x.lora_down.weight": (4, 4_000), "lora_unet_x.lora_up.weight": (4_000, 4)}
LIMITS = Limits(timeout=30, attempts=2, backoff=0.01, longest_wait=0.05)


@pytest.fixture
def server() -> Iterator[Server]:
    with file_server() as made:
        yield made


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "home" / "data" / "models"


@pytest.fixture
def start(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Drive]]:
    """Engines, one after another, that may talk to the test's server."""
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    opened: list[Drive] = []

    def local(folder: Path, offline: str) -> Downloader:
        policy = server.policy()
        policy = type(policy)(offline, policy.local)
        return Downloader(folder, policy=policy, hub=server.url, tokens=lambda host: "", limits=LIMITS)

    monkeypatch.setattr(module, "downloader", local)

    def make() -> Drive:
        opened.append(in_process(tmp_path, REGISTRY, offline="").start())
        return opened[-1]

    yield make
    for drive in opened:
        drive.client.close()


@pytest.fixture
def weights(tmp_path: Path) -> bytes:
    return sparse(tmp_path / "w.safetensors", LORA).read_bytes()


def ask(drive: Drive, request: Any, answer: type) -> Any:
    drive.client.send(request)
    return drive.until(answer, request=request.request)


def until(drive: Drive, name: str, state: str, least: int = 0) -> DownloadInfo:
    """Wait until a download is in a state, with so many bytes there; what was told already counts."""
    while True:
        told = [event.download for event in drive.of(DownloadTold) if event.download.id == name]
        if told and told[-1].state == state and told[-1].done >= least:
            return told[-1]
        assert not told or state == "failed" or told[-1].state != "failed", told[-1].error
        drive.until(DownloadTold)


def begin(drive: Drive, name: str, source: str) -> None:
    drive.client.send(StartDownload(download=name, source=source, title=name.title()))


def listed(drive: Drive) -> dict[str, DownloadInfo]:
    return {told.id: told for told in ask(drive, ListDownloads(request="l"), Downloads).downloads}


def test_a_half_finished_download_goes_on_in_the_next_engine(
    start: Callable[[], Drive], server: Server, weights: bytes, models: Path
) -> None:
    url = f"{server.url}/a.safetensors"
    server.serve("/a.safetensors", weights, "hang")
    first = start()
    begin(first, "a", url)
    until(first, "a", "running", least=8_000)
    first.client.close()
    (part,) = (models / STAGING).rglob("*.part")
    arrived = part.stat().st_size
    assert 0 < arrived < len(weights)
    second = start()
    assert listed(second)["a"].title == "A"
    done = until(second, "a", "finished")
    assert Path(done.path).read_bytes() == weights
    assert server.asked[-1].headers["Range"] == f"bytes={arrived}-"
    second.client.close()
    assert listed(start()) == {}, "what is done isn't kept"


def test_paused_ones_make_room_and_stay_paused(
    start: Callable[[], Drive], server: Server, weights: bytes
) -> None:
    for name in "abc":
        server.serve(f"/{name}.safetensors", weights, "hang")
    drive = start()
    for name in "abc":
        begin(drive, name, f"{server.url}/{name}.safetensors")
    for name in "ab":
        until(drive, name, "running", least=8_000)
    found = listed(drive)
    assert found["c"].state == "waiting"
    assert sum(told.state == "running" for told in found.values()) == AT_ONCE
    drive.client.send(SteerDownload(download="a", how="pause"))
    until(drive, "c", "running", least=8_000)
    drive.client.close()
    second = start()
    assert listed(second)["a"].state == "paused"
    until(second, "b", "finished")
    until(second, "c", "finished")
    second.client.send(SteerDownload(download="a", how="resume"))
    until(second, "a", "finished")


def test_cancelling_deletes_what_has_arrived(
    start: Callable[[], Drive], server: Server, weights: bytes, models: Path
) -> None:
    url = f"{server.url}/a.safetensors"
    server.serve("/a.safetensors", weights, "hang")
    drive = start()
    begin(drive, "a", url)
    until(drive, "a", "running", least=8_000)
    drive.client.send(SteerDownload(download="a", how="cancel"))
    assert listed(drive) == {}
    begin(drive, "again", url)  # at once: it waits until the first has let go
    until(drive, "again", "finished")
    assert not list((models / STAGING).rglob("*.part"))
    assert "Range" not in server.asked[-1].headers


def test_offline_nothing_is_asked_and_running_ones_pause(
    start: Callable[[], Drive], server: Server, weights: bytes
) -> None:
    server.serve("/a.safetensors", weights, "hang")
    drive = start()
    begin(drive, "a", f"{server.url}/a.safetensors")
    until(drive, "a", "running", least=8_000)
    drive.client.send(SetOffline(reason="You said so."))
    until(drive, "a", "paused")
    asked = len(server.asked)
    begin(drive, "b", f"{server.url}/b.safetensors")
    failed = until(drive, "b", "failed")
    assert failed.error is not None
    assert (failed.error.code, failed.error.arguments["reason"]) == ("DownloadOffline", "You said so.")
    assert len(server.asked) == asked
    drive.client.send(SetOffline())
    drive.events.clear()
    drive.client.send(SteerDownload(download="b", how="resume"))
    again = until(drive, "b", "failed").error
    assert again is not None
    assert again.code == "DownloadNotFound"


def test_a_source_is_looked_at_before_anything_is_fetched(
    start: Callable[[], Drive], server: Server, tmp_path: Path
) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "old.ckpt")
    whole = sparse(tmp_path / "one.safetensors", LORA).read_bytes()
    files = {"one.safetensors": whole, "old.ckpt": (tmp_path / "old.ckpt").read_bytes(), "x.py": b"1"}
    server.serve_repository("some/files", files)
    drive = start()
    seen = ask(drive, LookAtSource(request="a", source="some/files"), SourceSeen)
    assert seen.files == ()
    assert "name one of them" in seen.reason
    assert [(each.path, each.pickled) for each in seen.choices] == [
        ("one.safetensors", False), ("old.ckpt", True),
    ]  # fmt: skip
    assert seen.free_bytes > 0
    one = ask(drive, LookAtSource(request="b", source=seen.choices[1].source), SourceSeen)
    assert [(each.path, each.pickled) for each in one.files] == [("old.ckpt", True)]
    assert one.licence == "mit"


def test_offers_are_for_this_machine(start: Callable[[], Drive]) -> None:
    told = ask(start(), JudgeModels(request="j"), ModelsJudged)
    labels = [offer.label for offer in told.offers]
    suggested = [label for label in labels if label]
    assert labels[: len(suggested)] == suggested
    assert len(suggested) <= 3
    sdxl = next(offer for offer in told.offers if offer.id == "sdxl")
    assert sdxl.checked
    assert sdxl.page.endswith(sdxl.source)
    assert not next(offer for offer in told.offers if offer.id == "chroma1-hd").checked
