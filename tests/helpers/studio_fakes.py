"""A bridge without an engine: it answers like ``studio.engine.bridge.EngineBridge``, and a test says what
happens."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter

from pipelines.engine.protocol import (
    Device,
    ErrorData,
    Failure,
    ImageRef,
    ModelInfo,
    Models,
    NodeFinished,
    NodeProgress,
    NodeStarted,
    NodeWarning,
    Problems,
    Ready,
    RunFinished,
    RunStarted,
    Saved,
    ValueRef,
)
from pipelines.errors import DiptychError
from pipelines.graph.document import Graph
from pipelines.paths import RESOURCES

STARTER = ModelInfo(
    kind="diffusion",
    id="text-to-image",
    title="Diptych starter",
    path="/models/text-to-image",
    family="sd1",
    bytes=71_000_000,
    native_size=(64, 64),
    size_multiple=16,
    defaults={"steps": 16, "guidance_scale": 4.0, "guidance_rescale": 0.7, "width": 64, "height": 64},
    examples=(
        "a red apple on a blue background, flat style",
        "a fox in the snow, 3d style",
        "two green frogs on green grass",
        "a small house at night",
    ),
    card="A small model made for Diptych. It knows animals, food and nature, and no photographs.",
    unavailable={
        "clip_skip": "Its text encoder is not CLIP.",
        "sampler:lcm": "It was not distilled for LCM.",
    },
)
OTHER = ModelInfo(
    kind="diffusion",
    id="photos.safetensors",
    title="Photos",
    path="/models/photos.safetensors",
    family="sd1",
    bytes=2_130_000_000,
    native_size=(512, 512),
    size_multiple=8,
    defaults={"steps": 25, "guidance_scale": 7.5, "guidance_rescale": 0.0, "width": 512, "height": 512},
    unavailable={"negative": "It draws without a negative prompt."},
)
LANGUAGE = ModelInfo(
    kind="language", id="smollm2", title="SmolLM2 135M", path="/models/smollm2", bytes=270_000_000
)
DEVICE = Device(
    device="cpu", name="2 processor cores", dtype="bf16", total_bytes=8_000_000_000, free_bytes=3_100_000_000
)


def picture(hue: int = 20, side: int = 64) -> QImage:
    """A picture with a gradient."""
    image = QImage(side, side, QImage.Format.Format_RGB888)
    painter = QPainter(image)
    gradient = QLinearGradient(0, 0, side, side)
    gradient.setColorAt(0, QColor.fromHsv(hue % 360, 160, 240))
    gradient.setColorAt(1, QColor.fromHsv((hue + 60) % 360, 200, 120))
    painter.fillRect(image.rect(), gradient)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor.fromHsv((hue + 180) % 360, 90, 250))
    painter.drawEllipse(image.rect().center(), side // 4, side // 4)
    painter.end()
    return image


class FakeBridge(QObject):
    """Signals and methods of the engine's bridge; the ``tell_…`` methods play the engine."""

    ready = Signal(object)
    engine_lost = Signal(object)
    device_changed = Signal(object)
    run_submitted = Signal(str)
    run_started = Signal(object)
    run_waiting = Signal(object)
    node_started = Signal(object)
    node_progressed = Signal(object)
    node_warned = Signal(object)
    node_finished = Signal(object)
    run_finished = Signal(object)
    models_listed = Signal(object)
    model_answered = Signal(object)
    downloads_listed = Signal(object)
    download_told = Signal(object)
    source_seen = Signal(object)
    models_judged = Signal(object)
    problems_found = Signal(object)
    outside_listed = Signal(object)
    ports_told = Signal(object)
    cached_found = Signal(object)
    forecasted = Signal(object)
    calibrated = Signal(object)
    results_kept = Signal(object)
    saved = Signal(object)
    failed = Signal(object)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.state = "starting"
        self.started = self.closed = 0
        self.submitted: list[tuple[str, Graph]] = []
        self.targets: dict[str, Any] = {}
        self.cancelled: list[str] = []
        self.save_requests: list[tuple[str, str, int, str]] = []
        self.loads: list[bool] = []
        self.calibrations = self.estimates = 0
        self.kept_results: list[int | str | None] = []
        self.forecast_requests: list[Graph] = []
        self.port_questions: list[tuple[str, dict[str, Any]]] = []
        self.model_requests: list[tuple[str, str, dict[str, Any]]] = []
        self._pictures: dict[str, QImage] = {}
        self._number = itertools.count(1)

    # --- requests ------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.started += 1

    def close(self) -> None:
        self.closed += 1

    def submit(self, graph: Graph, targets: Any = None, name: str = "", base: str = "") -> str:
        job = f"job-{next(self._number)}"
        self.submitted.append((job, graph))
        self.targets[job] = targets
        self.run_submitted.emit(job)
        return job

    def cancel(self, job: str) -> None:
        self.cancelled.append(job)

    def list_models(self, rescan: bool = False) -> str:
        return "models"

    def _about_model(self, what: str, path: str = "", **more: Any) -> str:
        self.model_requests.append((what, path, more))
        return f"model-{len(self.model_requests)}"

    def set_model_folders(self, folders: tuple[str, ...]) -> str:
        return self._about_model("folders", folders=folders)

    def describe_model(self, path: str) -> str:
        return self._about_model("describe", path)

    def note_model(self, path: str, **notes: Any) -> str:
        return self._about_model("note", path, **notes)

    def hash_model(self, path: str, *, verify: bool = False) -> str:
        return self._about_model("hash", path, verify=verify)

    def convert_model(self, path: str) -> str:
        return self._about_model("convert", path)

    def import_model(self, path: str) -> str:
        return self._about_model("import", path)

    def remove_model(self, path: str) -> str:
        return self._about_model("remove", path)

    def find_duplicates(self) -> str:
        return self._about_model("duplicates")

    def stop_model_work(self, request: str) -> None:
        self._about_model("stop", request)

    def list_downloads(self) -> str:
        return self._about_model("downloads")

    def look_at_source(self, source: str, variant: str = "") -> str:
        return self._about_model("look", source, variant=variant)

    def start_download(self, source: str, title: str, **more: Any) -> str:
        return self._about_model("start", source, title=title, **more)

    def steer_download(self, download: str, how: str) -> None:
        self._about_model(how, download)

    def set_offline(self, reason: str) -> None:
        self._about_model("offline", reason)

    def judge_models(self) -> str:
        return self._about_model("judge")

    def validate(self, graph: Graph) -> str:
        return f"validate-{next(self._number)}"

    def find_cached(self, graph: Graph, base: str = "") -> str:
        return "cached"

    def forecast(self, graph: Graph) -> str:
        self.forecast_requests.append(graph)
        return f"forecast-{len(self.forecast_requests)}"

    def calibrate(self, *, quick: bool = False) -> str:
        self.calibrations += not quick
        self.estimates += quick
        return "calibrate"

    def keep_results(self, limit: int | None = None, *, clear: bool = False) -> str:
        self.kept_results.append("clear" if clear else limit)
        return f"results-{len(self.kept_results)}"

    def load_nodes(self, *, again: bool = False) -> str:
        self.loads.append(again)
        return "nodes"

    def ask_ports(self, type_id: str, params: Any) -> str:
        self.port_questions.append((type_id, dict(params)))
        return "ports"

    def prepare(self, model: str | None = None) -> None:
        return None

    def free_memory(self) -> None:
        return None

    def save_image(self, job: str, node: str, index: int, path: str) -> str:
        self.save_requests.append((job, node, index, path))
        return f"save-{len(self.save_requests)}"

    def image(self, ref: ImageRef) -> QImage:
        return self._pictures.get(ref.file, QImage())

    # --- the engine's part ---------------------------------------------------------------------------------

    def ref(self, image: QImage) -> ImageRef:
        """A reference to a picture of the engine."""
        name = f"picture-{next(self._number)}"
        self._pictures[name] = image
        return ImageRef(file=name, width=image.width(), height=image.height(), channels=3)

    def tell_ready(self, *models: ModelInfo) -> None:
        self.state = "ready"
        self.ready.emit(Ready(version="1", pid=1))
        self.device_changed.emit(DEVICE)
        self.models_listed.emit(Models(request="models", models=models or (STARTER, OTHER, LANGUAGE)))

    def tell_started(self, job: str) -> None:
        graph = dict(self.submitted)[job]
        self.run_started.emit(RunStarted(job=job, nodes=tuple(graph.nodes)))

    def tell_step(self, job: str, step: int, total: int, image: QImage | None = None, **more: Any) -> None:
        values = {"phase": "denoising", "rate": 9.2, "seconds_left": (total - step) / 9.2, **more}
        preview = self.ref(image) if image is not None else None
        self.node_progressed.emit(
            NodeProgress(job=job, node="draw", step=step, total=total, preview=preview, **values)
        )

    def tell_node_started(self, job: str, node: str) -> None:
        self.node_started.emit(NodeStarted(job=job, node=node))

    def tell_warning(self, job: str, node: str, warning: DiptychError) -> None:
        data = ErrorData(**{**warning.info().to_json(), "severity": "warning"})
        self.node_warned.emit(NodeWarning(job=job, node=node, warning=data))

    def tell_saved(
        self,
        job: str,
        seeds: tuple[int, ...] = (7,),
        status: str = "executed",
        hue: int = 20,
        prompt: str = "",
    ) -> list[str]:
        """The save node is done: its files are there. Gives their paths."""
        images = [picture(hue + 40 * index, 256) for index in range(len(seeds))]
        paths = [str(self.folder / f"{job}-{seed}.png") for seed in seeds]
        self.folder.mkdir(parents=True, exist_ok=True)
        for path, image in zip(paths, images, strict=True):
            image.save(path)
        infos = tuple({"seed": seed, "prompt": prompt} for seed in seeds)
        shown = ValueRef(
            type="Image", images=tuple(self.ref(image) for image in images), infos=infos, sizes=((256, 256),)
        )
        value: Any = paths if len(paths) > 1 else paths[0]
        outputs = {"path": ValueRef(type="Text", value=value), "image": shown}
        self.node_finished.emit(
            NodeFinished(job=job, node="save", status=status, outputs=outputs, seconds=0.1)
        )
        return paths

    def tell_save_failed(self, job: str, error: DiptychError, seed: int = 7) -> None:
        """The save node could not write; the picture is in memory."""
        shown = ValueRef(
            type="Image", images=(self.ref(picture(20, 256)),), infos=({"seed": seed},), sizes=((256, 256),)
        )
        data = ErrorData(**error.info("Traceback").at("save").to_json())
        self.node_finished.emit(
            NodeFinished(job=job, node="save", status="failed", outputs={"image": shown}, error=data)
        )

    def tell_finished(
        self, job: str, status: str = "finished", *errors: DiptychError, node: str = "draw"
    ) -> None:
        graph = dict(self.submitted)[job]
        states = dict.fromkeys(graph.nodes, "executed")
        data = tuple(ErrorData(**error.info("Traceback").at(node).to_json()) for error in errors)
        self.run_finished.emit(RunFinished(job=job, status=status, seconds=1.7, nodes=states, errors=data))

    def tell_failure(self, job: str, error: DiptychError) -> None:
        self.failed.emit(Failure(request=job, error=ErrorData(**error.info().to_json())))

    def tell_saved_elsewhere(self, request: str, path: str) -> None:
        picture().save(path)
        self.saved.emit(Saved(request=request, path=path))

    def tell_problems(self, request: str, *problems: DiptychError) -> None:
        data = tuple(ErrorData(**problem.info().to_json()) for problem in problems)
        self.problems_found.emit(Problems(request=request, problems=data))


def template(name: str = "prompt_to_image") -> Graph:
    """A template that ships with the program."""
    return Graph.loads((RESOURCES / "templates" / f"{name}.json").read_bytes(), name)
