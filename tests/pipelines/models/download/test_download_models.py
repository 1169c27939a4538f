"""A model from a hub: the right files of it, checked before it is a model among the others."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from pipelines.engine.locks import FileLock
from pipelines.errors import (
    Cancelled,
    ConversionRefused,
    DownloadBusy,
    DownloadDamaged,
    DownloadExists,
    DownloadFailed,
    ModelUnreadable,
    ModelUnsafe,
    NothingToDownload,
)
from pipelines.models.download.control import Control, Limits
from pipelines.models.download.hub import Listed, Repository
from pipelines.models.download.jobs import STAGING, Downloader
from pipelines.models.download.plan import Progress
from pipelines.models.download.selection import whole_folder
from pipelines.paths import RESOURCES
from tests.helpers.file_server import Server
from tests.helpers.hostile_models import Canary
from tests.helpers.model_files import SD1, sparse

STARTER = RESOURCES / "starter" / "text-to-image"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def downloader(server: Server, limits: Limits, models: Path) -> Downloader:
    return Downloader(models, policy=server.policy(), hub=server.url, tokens=lambda host: "", limits=limits)


@pytest.fixture
def repository() -> dict[str, bytes]:
    """A diffusers folder with small weights, and what people leave beside them."""
    files = {
        path.relative_to(STARTER).as_posix(): path.read_bytes()
        for path in STARTER.rglob("*")
        if path.suffix in (".json", ".txt") and path.parent.name != "__pycache__"
    }
    weights = save({"w": torch.zeros(2, 2)})
    for part, name in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        files[f"{part}/{name}.safetensors"] = weights
        files[f"{part}/{name}.fp16.safetensors"] = weights
        files[f"{part}/{name}.bin"] = b"\x80\x02N."
    return files | {"whole.ckpt": b"x", "whole.safetensors": weights, "pipeline.py": b"raise SystemExit"}


def left(models: Path) -> list[str]:
    """What is there besides locks."""
    return sorted(
        path.relative_to(models).as_posix()
        for path in models.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )


def test_a_repository_becomes_a_model(
    server: Server, downloader: Downloader, models: Path, repository: dict[str, bytes]
) -> None:
    server.serve_repository("some/model", repository)
    plan = downloader.plan("some/model")
    seen: list[Progress] = []
    made = downloader.fetch(plan, progress=seen.append)
    assert (made.path, made.kind) == (models / "diffusion" / "some--model", "diffusion")
    names = {path.relative_to(made.path).as_posix() for path in made.path.rglob("*") if path.is_file()}
    assert "unet/diffusion_pytorch_model.safetensors" in names
    assert not any(
        name.endswith((".bin", ".ckpt", ".py"))
        or "fp16" in name
        or ("/" not in name and name.endswith(".safetensors"))
        for name in names
    )
    assert all((made.path / name).read_bytes() == repository[name] for name in names)
    assert (plan.licence, seen[-1]) == ("mit", Progress(plan.bytes or 0, plan.bytes, len(names), len(names)))
    with pytest.raises(DownloadExists):
        downloader.fetch(plan)


def test_an_attempt_that_broke_off_is_taken_up(
    server: Server, downloader: Downloader, models: Path, repository: dict[str, bytes]
) -> None:
    server.serve_repository("some/model", repository)
    plan = downloader.plan("some/model")
    path = next(path for path in server.files if path.endswith("unet/diffusion_pytorch_model.safetensors"))
    good = server.files.pop(path)
    server.serve(path, b"", "status 500", always=True)
    with pytest.raises(DownloadFailed):
        downloader.fetch(plan)
    assert not (models / "diffusion").exists()
    stale = models / STAGING / "some--model" / "unet" / "old.safetensors"
    stale.parent.mkdir(parents=True, exist_ok=True)
    stale.write_bytes(b"left from another variant")
    server.files[path] = good
    server.asked.clear()
    made = downloader.fetch(plan)
    assert len(server.asked) < len(plan.files)
    assert not (made.path / "unet" / "old.safetensors").exists()


def test_what_the_check_refuses_is_gone(
    server: Server, downloader: Downloader, models: Path, repository: dict[str, bytes]
) -> None:
    index = json.loads(repository["model_index.json"])
    repository["model_index.json"] = json.dumps(index | {"unet": ["os", "system"]}).encode()
    server.serve_repository("some/model", repository)
    with pytest.raises(ModelUnsafe):
        downloader.fetch(downloader.plan("some/model"))
    assert not any(asked.path.endswith(".safetensors") for asked in server.asked)  # seen before the weights
    server.serve_repository("some/text", {"m.safetensors": b"<html>sorry</html>" * 100})
    with pytest.raises(ModelUnreadable):
        downloader.fetch(downloader.plan("some/text/m.safetensors"))
    assert left(models) == []


def test_bytes_that_the_hub_did_not_list_are_refused(
    server: Server, downloader: Downloader, models: Path
) -> None:
    true, false = save({"w": torch.zeros(4)}), save({"w": torch.ones(4)})
    server.serve_repository("some/model", {"m.safetensors": false}, {"m.safetensors": true})
    with pytest.raises(DownloadDamaged, match="checksum"):
        downloader.fetch(downloader.plan("some/model/m.safetensors"))
    assert left(models) == []


def test_one_file_goes_where_its_tensors_belong(
    server: Server, downloader: Downloader, models: Path, tmp_path: Path
) -> None:
    small = {name: (2,) * len(shape) for name, shape in SD1.items()}
    data = sparse(tmp_path / "m.safetensors", SD1 | small).read_bytes()
    server.serve("/files/my%20model.safetensors", data)
    made = downloader.fetch(downloader.plan(f"{server.url}/files/my%20model.safetensors"), kind="other")
    assert made.path.name == "my model.safetensors"
    assert made.path.read_bytes() == data
    assert left(models) == [made.path.relative_to(models).as_posix()]


def test_a_pickle_is_converted_before_it_is_a_model(
    server: Server, downloader: Downloader, models: Path, tmp_path: Path
) -> None:
    files: dict[str, bytes] = {}
    for name, value in (("good.pth", 1), ("bad.pth", Canary(tmp_path / "canary"))):
        file = io.BytesIO()
        torch.save({"params": {"w": torch.ones(3)}, "x": value}, file)
        files[name] = file.getvalue()
    server.serve_repository("some/upscaler", files)
    made = downloader.fetch(downloader.plan("some/upscaler/good.pth"), kind="upscale")
    assert made.converted
    assert left(models) == ["upscale/good.safetensors"]
    with pytest.raises(ConversionRefused, match="mkdir"):
        downloader.fetch(downloader.plan("some/upscaler/bad.pth"))
    assert left(models) == ["upscale/good.safetensors"]
    assert not (tmp_path / "canary").exists()


def test_a_cancel_keeps_what_has_arrived(
    server: Server, downloader: Downloader, models: Path, repository: dict[str, bytes]
) -> None:
    server.serve_repository("some/model", repository)
    control = Control()
    with pytest.raises(Cancelled):
        downloader.fetch(
            downloader.plan("some/model"), control=control, progress=lambda progress: control.cancel()
        )
    assert left(models)
    assert all(name.startswith(STAGING) for name in left(models))


def test_two_at_a_time_of_the_same_model(server: Server, downloader: Downloader, models: Path) -> None:
    server.serve_repository("some/model", {"m.safetensors": save({"w": torch.zeros(4)})})
    plan = downloader.plan("some/model/m.safetensors")
    lock = FileLock(models / STAGING / "m.safetensors.lock", "another window")
    assert lock.acquire()
    with pytest.raises(DownloadBusy, match="another window"):
        downloader.fetch(plan)
    lock.release()
    downloader.fetch(plan)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"a.safetensors": b"", "b.gguf": b"", "c.ckpt": b""}, "a.safetensors, b.gguf"),
        ({"config.json": b"{}", "pytorch_model.bin": b""}, "no safetensors"),
        ({"model_index.json": b"{}", "unet/..\\..\\x.safetensors": b""}, "outside"),
    ],
)
def test_repositories_without_a_model_of_ours(
    server: Server, downloader: Downloader, files: dict[str, bytes], reason: str
) -> None:
    server.serve_repository("some/thing", files)
    with pytest.raises(NothingToDownload, match=reason):
        downloader.plan("some/thing")
    with pytest.raises(NothingToDownload, match="no file of this name"):
        downloader.plan("some/thing/none.safetensors")


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"{}", b'{"sha": 1, "siblings": []}', b'{"sha": "main", "siblings": []}', b"[" * 100_000,
     b'{"sha": "' + b"a" * 40 + b'", "siblings": [{"rfilename": "a", "size": -1}]}', b"x" * (17 * 2**20)],
    ids=["empty", "list", "nothing", "number", "no commit", "deep", "size", "long"],
)  # fmt: skip
def test_a_hub_that_talks_nonsense(server: Server, downloader: Downloader, answer: bytes) -> None:
    server.serve("/api/models/some/model/revision/main?blobs=true", answer)
    with pytest.raises(DownloadFailed):
        downloader.plan("some/model")


@pytest.mark.parametrize(
    ("names", "variant", "chosen"),
    [
        ("model.safetensors model.fp16.safetensors", "", "model.safetensors"),
        ("model.safetensors model.fp16.safetensors", "fp16", "model.fp16.safetensors"),
        ("model.fp16.safetensors", "", "model.fp16.safetensors"),
        ("model.safetensors consolidated.safetensors model.non_ema.safetensors", "", "model.safetensors"),
        (
            "model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json",
            "fp16",
            "model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json",
        ),
        (
            "model-00001-of-00002.safetensors model.safetensors model.safetensors.index.json",
            "",
            "model.safetensors",
        ),
    ],
)
def test_one_set_of_weights_is_chosen(names: str, variant: str, chosen: str) -> None:
    listed = [Listed("config.json", 2), *(Listed(name, 8, large=True) for name in names.split())]
    found = whole_folder(Repository("some/model", "a" * 40, tuple(listed)), variant)
    assert {file.path for file in found} == {"config.json", *chosen.split()}
