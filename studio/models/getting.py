"""One click: a model is downloaded, chosen, set up as it is best run here, and draws the prompt that
waited."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from PySide6.QtCore import QObject, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices

from pipelines.engine.protocol import DownloadInfo, ModelInfo, ModelOffer
from pipelines.files import sanitise_name
from studio.actions.shell import Shell
from studio.engine.phases import memory_text
from studio.engine.runs import error_info
from studio.models.downloads import Downloads
from studio.models.waiting import WaitingDraw
from studio.parts import Parts
from studio.translate import tr
from studio.widgets.dialog import ask

MUCH: Final = 100_000_000
"""Bytes that are not thrown away without a question."""


class TakesModels(Protocol):
    """:class:`studio.models.actions.ModelActions`."""

    def open_for(self, info: ModelInfo) -> None: ...
    def place(self, info: ModelInfo) -> None: ...


class Getting(QObject):
    """``takes`` takes a model into the document that is shown; ``generate`` draws it. ``changed`` when what
    is here, or arrives, is something else.
    """

    changed = Signal()

    def __init__(
        self, parts: Parts, shell: Shell, takes: TakesModels, generate: Callable[[], object], parent: QObject
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._parts, self._shell, self._takes, self._generate = parts, shell, takes, generate
        self.downloads = Downloads(parts.bridge, self)
        self.waiting = WaitingDraw(parts, self.downloads, self)
        self._arrived: list[DownloadInfo] = []
        """Those that are here, but not in the list of models yet."""
        self._offers: dict[str, ModelOffer] = {}
        self.is_estimating = False
        """Whether the device is being measured for a moment, or couldn't be."""
        self._stays_offline = parts.settings.values.stay_offline
        self.offline = offline_reason(stays=self._stays_offline)
        """Why nothing may be downloaded; empty if it may."""
        self.downloads.changed.connect(self.changed)
        self.downloads.judged.connect(self.changed)
        self.downloads.finished.connect(self._finished)
        self.downloads.failed.connect(self._failed)
        parts.models.changed.connect(self._models_changed)
        parts.settings.changed.connect(self._settings_changed)
        parts.bridge.calibrated.connect(self._measured)

    # --- what there is ---------------------------------------------------------------------------------

    def here(self, offer: ModelOffer) -> ModelInfo | None:
        """The model of an offer, if it is on this computer and can be used."""
        name = sanitise_name(offer.source.replace("/", "--"))
        if "://" in offer.source:
            name = f"{Path(offer.source).stem}.safetensors"
        return next(
            (info for info in self._parts.models.models if Path(info.path).name == name and not info.problem),
            None,
        )

    def model_of(self, told: DownloadInfo) -> ModelInfo | None:
        """The model that a download became, once it is listed."""
        return next((info for info in self._parts.models.models if info.path == told.path), None)

    # --- what the user does ----------------------------------------------------------------------------

    def get(self, offer: ModelOffer) -> None:
        """Download a model, or take it at once if it is here. What is in the document is drawn then."""
        info = self.here(offer)
        if info is not None:
            self._take(info, offer)
            return
        self._offers[offer.id] = offer
        download = self.downloads.get(offer)
        if offer.model_kind == "diffusion" and self.waiting.wait_for(download, offer.title):
            self._shell.status.note(tr("Draws when {title} is here", title=offer.title))

    def take(self, told: DownloadInfo) -> None:
        """Use a model that is here."""
        info = self.model_of(told)
        if info is not None:
            self._take(info, self._offer_of(told))
            self.downloads.cancel(told.id)  # it has done its work

    def cancel(self, told: DownloadInfo) -> None:
        """Give a download up; much that has arrived isn't thrown away without a question."""
        if told.state != "finished" and told.done >= MUCH:
            text = tr(
                "{size} of {title} have arrived and are deleted. Pause it to go on another day.",
                size=memory_text(told.done), title=told.title,
            )  # fmt: skip
            window = self._shell.window()
            if not ask(window, tr("Give the download up?"), text, tr("Give it up"), tr("Keep it")):
                return
        self.downloads.cancel(told.id)

    def open_page(self, address: str) -> None:
        """Show an https address in the user's browser."""
        if address.startswith("https://"):
            QDesktopServices.openUrl(QUrl(address))

    def open_repository(self, source: str) -> None:
        """Show the page of a repository, where its terms are accepted."""
        from pipelines.models.download.tokens import HUB

        self.open_page(f"{HUB}/{'/'.join(source.partition('@')[0].split('/')[:2])}")

    @Slot()
    def open_settings(self) -> None:
        """Show the settings: the access token, whether to stay offline."""
        self._shell.commands.run("file.preferences")

    def measure(self) -> None:
        """Have the device measured, so that seconds can be said."""
        self._parts.bridge.calibrate()
        self._shell.status.note(tr("Measuring for about ten seconds…"))

    def estimate(self) -> None:
        """Have the device measured for a moment, once, if nothing is known of it and nothing is drawn: what
        is offered must not take hours here."""
        told = self.downloads.offers
        if told is None or told.measured or self.is_estimating or self._parts.tracker.current is not None:
            return
        self.is_estimating = True
        self._parts.bridge.calibrate(quick=True)

    # --- what came of it -------------------------------------------------------------------------------

    @Slot(object)
    def _measured(self, event: object) -> None:
        if self.downloads.offers is not None:
            self.downloads.judge()

    @Slot(object)
    def _finished(self, told: DownloadInfo) -> None:
        self._arrived.append(told)
        self._parts.bridge.list_models()

    @Slot()
    def _models_changed(self) -> None:
        waiting, self._arrived = self._arrived, []
        for told in waiting:
            info = self.model_of(told)
            if info is None:
                self._arrived.append(told)
            else:
                self._came(told, info)
        self.changed.emit()

    def _came(self, told: DownloadInfo, info: ModelInfo) -> None:
        """A model is listed that was downloaded: it draws what waited for it, or is offered."""
        if info.problem:
            self._shell.show_message(tr("{title} is here.", title=told.title), tr(info.problem))
        elif self.waiting.is_ready(told.id, self._shell.workspace):
            self._take(info, self._offer_of(told))
            self.downloads.cancel(told.id)
            self._generate()
        else:
            use = (tr("Use it"), lambda: self.take(told))
            body = tr("It came as a pickle and was converted.") if told.converted else ""
            self._shell.show_message(tr("{title} is here.", title=told.title), body, (use,))

    def _take(self, info: ModelInfo, offer: ModelOffer | None) -> None:
        """Choose a model with what its family asks for and, of our list, how it is best run here: one
        step."""
        document = self._parts.document
        self._takes.open_for(info)
        with document.macro(tr("Use the model {title}", title=info.title)):
            self._takes.place(info)
            if offer is not None and info.kind == "diffusion":
                self._set_up(offer)

    def _set_up(self, offer: ModelOffer) -> None:
        """Steps and precision as our list has them, unless they are locked."""
        document, binding = self._parts.document, self._parts.binding
        locked = self._parts.settings.values.locked
        if offer.steps is not None and "steps" not in locked:
            binding.set_many({"steps": offer.steps}, tr("Set the steps"))
        node = binding.node_of("model")
        record = document.graph.nodes.get(node)
        schema = document.registry.get(record.type) if record is not None else None
        if schema is None or record is None:
            return
        usual = {"quantization": "none", "text_quantization": "none"}
        values: dict[tuple[str, str], Any] = {
            (node, name): offer.params.get(name, default)
            for name, default in usual.items()
            if name in schema.params_by_name and name not in record.inputs and name not in locked
        }
        if values:
            document.set_params(values, tr("Set the precision"))

    def _offer_of(self, told: DownloadInfo) -> ModelOffer | None:
        offers = self.downloads.offers.offers if self.downloads.offers is not None else ()
        listed = next((offer for offer in offers if offer.id == told.curated), None)
        return self._offers.get(told.curated) or listed

    @Slot(object)
    def _failed(self, told: DownloadInfo) -> None:
        if told.error is not None:
            again = (tr("Try again"), lambda: self.downloads.resume(told.id))
            self._shell.show_error(error_info(told.error), (again,))

    @Slot()
    def _settings_changed(self) -> None:
        stays = self._parts.settings.values.stay_offline
        if stays != self._stays_offline:
            self._stays_offline = stays
            self.offline = offline_reason(stays=stays)
            self._parts.bridge.set_offline(self.offline)
            self.changed.emit()


def offline_reason(*, stays: bool) -> str:
    """Why nothing may be downloaded, if so: the user's setting, or a variable that says so."""
    from pipelines.models.download.addresses import Policy

    return "You chose to stay offline." if stays else Policy.of_environment().offline
