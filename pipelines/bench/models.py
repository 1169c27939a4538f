"""Models: 10,000 files found the first time and again, the probe of one header, opening and changing models,
and how fast a processor evaluates them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pipelines.bench import model_loading, model_speed
from pipelines.bench.report import Row, median_of, seconds
from pipelines.models.catalogue.catalogue import Catalogue, Root
from pipelines.models.files.header import read_header
from pipelines.models.probing.probe import probe_file
from pipelines.models.records.index import ModelIndex

SMALL, SMALL_TENSORS = 9_000, 260
LARGE, LARGE_TENSORS = 1_000, 1_500
PER_FOLDER: Final = 500
SHAPES: Final = 50
"""Files of a trainer that share one structure; every rank and every such group has another."""


def measure() -> Iterator[Row]:
    """Headers without weights (the files are sparse), warm in the page cache, as users collect them: LoRAs of
    some trainers in some ranks, each with metadata of its own, and checkpoints that differ in a tensor.
    """
    with TemporaryDirectory() as folder:
        root = Path(folder) / "models"
        _collection(root, distinct=False)
        yield from _scans(root, Path(folder), "")
    with TemporaryDirectory() as folder:
        root = Path(folder) / "models"
        _collection(root, distinct=True)
        yield from _scans(root, Path(folder), ", no two alike")
        yield from _probes(root)
    yield from model_loading.measure()
    yield from model_speed.measure()


def _scans(root: Path, folder: Path, what: str) -> Iterator[Row]:
    index = folder / "models.sqlite"
    count = SMALL + LARGE
    for path in root.rglob("*.safetensors"):  # warm, as the figures say
        path.read_bytes()[:1] if path.stat().st_size < 2**20 else None
    first = Catalogue([Root(root)], ModelIndex(index))
    took = seconds(first.list)
    yield Row("models", f"{count:,} files searched the first time{what}", took, "s", 5)
    yield Row("models", f"{count:,} files searched again{what}", median_of(3, first.list), "s", 0.5)
    first.index.close()
    again = Catalogue([Root(root)], ModelIndex(index))
    took = seconds(again.list)
    yield Row("models", f"{count:,} files searched by the next start{what}", took, "s", 0.5)
    again.index.close()


def _probes(root: Path) -> Iterator[Row]:
    for name, tensors in (("00000.safetensors", SMALL_TENSORS), ("large-00000.safetensors", LARGE_TENSORS)):
        path = next(root.rglob(name))
        header = read_header(path)
        read = median_of(20, lambda path=path: read_header(path))  # type: ignore[misc]
        probed = median_of(20, lambda header=header: probe_file(header))  # type: ignore[misc]
        yield Row("models", f"header of {tensors} tensors read and checked", read * 1000, "ms")
        yield Row("models", f"header of {tensors} tensors probed", probed * 1000, "ms")


def _collection(root: Path, distinct: bool) -> None:
    for number in range(SMALL):
        group = number if distinct else number % SHAPES
        rank = 4 + group % 125
        shapes = _lora(rank, group)
        _write(root / f"lora-{number // PER_FOLDER:02}" / f"{number:05}.safetensors", shapes, number)
    for number in range(LARGE):
        shapes = _checkpoint(number if distinct else number % SHAPES)
        folder = root / f"checkpoints-{number // PER_FOLDER}"
        _write(folder / f"large-{number:05}.safetensors", shapes, number)


def _lora(rank: int, group: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for block in range(SMALL_TENSORS // 2):
        name = f"lora_unet_down_blocks_{block % 3}_attentions_{block // 3}_transformer_blocks_0_attn2_to_k"
        shapes[f"{name}.lora_down.weight"] = (rank, 768)
        shapes[f"{name}.lora_up.weight"] = (320 + group, rank)
    return shapes


def _checkpoint(group: int) -> dict[str, tuple[int, ...]]:
    prefix = "model.diffusion_model."
    shapes: dict[str, tuple[int, ...]] = {
        prefix + "input_blocks.0.0.weight": (320, 4, 3, 3),
        prefix + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
        "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
        "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight": (77, 768),
        f"extra_{group}": (1,),
    }
    for block in range(LARGE_TENSORS - len(shapes)):
        shapes[f"{prefix}output_blocks.{block}.1.transformer_blocks.0.attn1.to_q.weight"] = (320, 320 + group)
    return shapes


def _write(path: Path, shapes: dict[str, tuple[int, ...]], number: int) -> None:
    header: dict[str, Any] = {"__metadata__": {"ss_output_name": f"model {number}", "ss_network_dim": "8"}}
    position = 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header, separators=(",", ":")).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + position)
