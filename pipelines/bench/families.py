"""Every family in every task and precision: tiny pipelines of the real classes, with random weights.

The pipelines are those of the tests, so that this needs a checkout. What is counted is whether a task runs
to a picture of finite numbers; a second says nothing of models of true size.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pipelines.bench.report import MeasurementFailed, Row
from pipelines.errors import DiptychError
from pipelines.graph.values import Image
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.libraries import go_offline, without_notices
from pipelines.models.loading import ModelLoader
from pipelines.models.residency import Residency
from pipelines.outside.testing import NodeContext

PRECISIONS: Final[Mapping[str, tuple[str, str]]] = {
    "fp32": ("fp32", "none"), "bf16": ("bf16", "none"), "NF4": ("bf16", "nf4"), "INT8": ("bf16", "int8"),
}  # fmt: skip
"""The dtype and the quantization of each."""
SIDE: Final = 64
STEPS: Final = 2


def measure() -> Iterator[Row]:
    """For each family and precision: how many of its tasks run."""
    go_offline()
    if not (Path(__file__).parents[2] / "tests").is_dir():
        raise MeasurementFailed("the tiny pipelines belong to the tests, which this installation hasn't")
    sys.path.append(str(Path(__file__).parents[2]))
    built: Mapping[str, Callable[[], Any]]
    built = import_module("tests.pipelines.diffusion.families.test_families").FAMILIES_BUILT
    with TemporaryDirectory() as folder:
        for name, make in built.items():
            with without_notices():
                make().save_pretrained(Path(folder) / "diffusion" / name)
        catalogue = Catalogue(default_roots(Path(folder)))
        access = Models(catalogue, Residency(ModelLoader(catalogue)))
        for name in built:
            for precision in PRECISIONS:
                yield _row(access, name, precision, Path(folder))


def _row(access: Models, name: str, precision: str, folder: Path) -> Row:
    dtype, quantization = PRECISIONS[precision]
    started = time.process_time()
    failures: dict[str, str] = {}
    try:
        handle = access.find("diffusion", name, dtype=dtype, quantization=quantization)
        plain: Any = NodeContext(folder)
        with access.use(handle, plain) as loaded:
            loaded.card["native_size"] = (SIDE, SIDE)  # what is so small is drawn as it is
            for task, run in TASKS.items():
                if (failure := _tried(run, loaded, folder)) is not None:
                    failures[task] = failure
    except DiptychError as error:
        failures = dict.fromkeys(TASKS, str(error))
    took = time.process_time() - started
    note = "; ".join(f"{task}: {reason}" for task, reason in failures.items()) or f"{took:.1f} s of CPU"
    done = len(TASKS) - len(failures)
    return Row("families", f"{name}, {precision}", done, "tasks", len(TASKS), at_least=True, note=note)


def _tried(run: Callable[[Any, Any], Any], loaded: Any, folder: Path) -> str | None:
    """What went wrong, if anything did."""
    context = _context(loaded, folder)
    try:
        outputs = run({"model": loaded.handle, "prompt": "a red apple", "seed": 3}, context)
    except DiptychError as error:
        return str(error)
    latents = outputs["latent"].tensor()
    return None if bool(latents.isfinite().all()) else "not finite"


def _context(loaded: Any, folder: Path) -> Any:
    return import_module("tests.helpers.diffusion_context").DiffusionContext(loaded, folder)


def _picture() -> Image:
    picture: Image = import_module("tests.helpers.disc").picture(SIDE, SIDE)
    return picture


def _text(inputs: dict[str, Any], context: Any) -> Any:
    from pipelines.nodes.diffusion import TextToImage

    params = TextToImage.Params(width=SIDE, height=SIDE, steps=STEPS, guidance_scale=4.0, sizes="exact")
    return TextToImage().run(inputs, params, context)


def _image(inputs: dict[str, Any], context: Any) -> Any:
    from pipelines.nodes.inpaint import ImageToImage

    params = ImageToImage.Params(steps=2 * STEPS, guidance_scale=4.0, strength=0.5)
    return ImageToImage().run({**inputs, "image": _picture()}, params, context)


def _inpaint(inputs: dict[str, Any], context: Any) -> Any:
    import numpy as np

    from pipelines.graph.values import Mask
    from pipelines.nodes.inpaint import Inpaint

    values = np.zeros((SIDE, SIDE), np.float32)
    values[16:48, 16:48] = 1
    params = Inpaint.Params(steps=STEPS, guidance_scale=4.0)
    return Inpaint().run({**inputs, "image": _picture(), "mask": Mask(values)}, params, context)


TASKS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "text to image": _text, "image to image": _image, "inpaint": _inpaint,
}  # fmt: skip
