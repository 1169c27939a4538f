"""Getting models from the window: offers, one click, the prompt that waits, other sources, the token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from pipelines.engine.downloads import _offer
from pipelines.engine.protocol import (
    Calibrated,
    DownloadFile,
    DownloadInfo,
    Downloads,
    DownloadTold,
    ErrorData,
    ModelInfo,
    ModelsJudged,
    SourceSeen,
)
from pipelines.errors import DownloadDenied
from pipelines.models.forecast.calibration import Calibration
from pipelines.models.forecast.verdict import Machine
from pipelines.models.offers.curated import Curated
from pipelines.models.offers.suggestions import judge
from studio.app import StudioApp
from studio.models import getting as getting_module
from studio.models.get_page import GetPage
from studio.models.getting import Getting
from studio.preferences.dialog import Preferences
from studio.settings import SettingsStore
from tests.helpers.studio_fakes import OTHER, STARTER, FakeBridge

Open = Callable[..., tuple[StudioApp, FakeBridge]]
OWN = STARTER.model_copy(update={"id": "starter/text-to-image"})
CARD = Machine(
    "cuda:0", 12 * 2**30, 32 * 2**30, "bf16", calibration=Calibration("cuda:0", {"bf16": 5e13}, 1e10, 1e9)
)


class Window:
    """A window with its Get page open, and what the engine would say."""

    def __init__(self, studio: StudioApp, bridge: FakeBridge) -> None:
        self.studio, self.bridge = studio, bridge
        self.getting: Getting = studio.window.actions_.models.getting
        bridge.tell_ready(OWN, OTHER)
        studio.window.commands.run("models.get")
        self.page: GetPage = studio.window.models_page.get_page
        offers = tuple(map(_offer, judge(CARD)))
        self.bridge.models_judged.emit(
            ModelsJudged(
                request=self.last("judge"), device="cuda:0", memory_bytes=CARD.room, measured=True,
                offers=offers,
            )
        )  # fmt: skip

    def last(self, what: str) -> str:
        return [
            f"model-{at}" for at, (kind, _, _) in enumerate(self.bridge.model_requests, 1) if kind == what
        ][-1]

    def asked(self, what: str) -> list[tuple[str, dict[str, Any]]]:
        return [(path, more) for kind, path, more in self.bridge.model_requests if kind == what]

    def tell(self, download: str, **changes: Any) -> DownloadInfo:
        told = self.getting.downloads.all[download].model_copy(update=changes)
        self.bridge.download_told.emit(DownloadTold(download=told, rate=changes.get("rate") or 0.0))
        return told

    def arrive(self, download: str) -> ModelInfo:
        """A download is done, and its model listed."""
        told = self.getting.downloads.all[download]
        path = f"/models/diffusion/{told.source.replace('/', '--')}"
        info = OTHER.model_copy(update={"id": path[8:], "path": path, "title": told.title})
        self.tell(download, state="finished", path=path)
        self.bridge.tell_ready(OWN, OTHER, info)
        return info


@pytest.fixture
def window(shared_studio: Open, monkeypatch: pytest.MonkeyPatch) -> Window:
    monkeypatch.setattr(Curated, "openable", property(lambda self: True))
    made = Window(*shared_studio())
    made.studio.parts.binding.set("prompt", "a red fox")
    return made


def get(window: Window, at: int = 0) -> str:
    window.page.cards[at].button.click()
    return window.last("start")


def test_an_unknown_computer_is_measured_for_a_moment_when_the_page_is_shown(
    shared_studio: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = Window(*shared_studio())
    page, bridge = window.page, window.bridge

    def judged(**state: bool) -> None:
        window.getting.downloads.judge()
        told = ModelsJudged(
            request=window.last("judge"), device="cpu", memory_bytes=2**34, offers=(), **state
        )
        bridge.models_judged.emit(told)

    assert bridge.estimates == 0, "it is known by now"
    judged(measured=False)
    judged(measured=False)
    assert (bridge.estimates, bridge.calibrations) == (1, 0)
    asked = len(window.asked("judge"))
    bridge.calibrated.emit(Calibrated(request="calibrate", device="cpu"))
    assert len(window.asked("judge")) == asked + 1
    judged(measured=True, quick=True)
    assert "estimates" in page.device.text()
    slow = window.getting.downloads.offers
    assert slow is not None
    cards = tuple(map(_offer, judge(replace(CARD, calibration=Calibration("cuda:0", {"bf16": 1e10}, 1e8)))))
    window.getting.downloads.judge()
    bridge.models_judged.emit(slow.model_copy(update={"request": window.last("judge"), "offers": cards}))
    assert page.cards
    assert not page.none.isHidden(), "none of them is quick"
    assert "take long" in page.none.text()
    page.measure.click()
    assert (bridge.estimates, bridge.calibrations) == (1, 1)


def test_at_most_three_cards_say_what_they_cost(window: Window) -> None:
    page = window.page
    assert 1 <= len(page.cards) <= 3
    assert len([card for card in page.cards if card.button.property("role") == "compact"]) == 1
    card = page.cards[0]
    said = {name: label.text() for name, label in card.values.items()}
    assert "50\u00a0Mbit/s" in said["Download"]
    assert said["Runs with"].partition(",")[0].endswith("-bit weights")
    assert said["A picture takes"]
    download = get(window)
    window.tell(download, state="running", done=2**30, total=2**32, rate=1e7, seconds_left=300)
    assert "Mbit" not in page.cards[-1].values["Download"].text(), "the rate is known now"
    assert "5 min left" in card.parts.words.text()
    assert "5 min left" in window.studio.window.status.text.text() or window.getting.downloads.line()[0]


def test_a_licence_that_nobody_checked_says_so(window: Window) -> None:
    rows = {row.offer.id: row for row in window.page.list.rows}
    assert "(unchecked)" in rows["chroma1-hd"].facts.text()
    assert "(unchecked)" not in rows["sdxl"].facts.text()
    assert "LICENSE-SDXL" in rows["sdxl"].facts.toolTip(), "where it was read"
    window.page.list.chips["sell"].click()
    assert rows["flux1-dev"].isHidden()
    assert not rows["sdxl"].isHidden()
    window.page.list.chips["language"].click()
    window.page.list.chips["diffusion"].click()
    assert not window.page.list.chips["language"].isChecked()


def test_one_click_draws_the_prompt_that_waited(window: Window) -> None:
    studio, card = window.studio, window.page.cards[0]
    download = get(window)
    assert window.getting.waiting.shown is not None
    assert window.bridge.submitted == []
    studio.parts.binding.set("prompt", "a blue fox")  # words may still be written
    steps = studio.parts.document.undo_stack.count()
    info = window.arrive(download)
    ((_, graph),) = window.bridge.submitted
    assert graph.nodes["draw"].params["prompt"] == "a blue fox"
    values = studio.parts.binding
    assert (values.value("model"), values.value("steps")) == (info.id, card.offer.steps)
    assert values.value("width") == OTHER.defaults["width"]
    node = studio.parts.document.graph.nodes[values.node_of("model")]
    assert node.params["quantization"] == card.offer.params.get("quantization", "none")
    assert studio.window.workspace == "create"
    assert studio.parts.document.undo_stack.count() == steps + 1
    studio.parts.document.undo_stack.undo()
    assert values.value("model") in ("", None)
    assert window.getting.waiting.shown is None


def test_what_waits_waits_over_a_restart(open_studio: Open, tmp_path: Path) -> None:
    studio, bridge = open_studio(session=tmp_path)
    studio.window.show_workspace("create")
    studio.window.actions_.open_template("prompt_to_image")
    studio.parts.binding.set("prompt", "a red fox")
    first = Window(studio, bridge)
    download = get(first)
    told = first.getting.downloads.all[download]
    studio.window.close()
    again, bridge = open_studio(session=tmp_path)
    second = Window(again, bridge)
    assert second.getting.waiting.shown is None, "nobody knows what became of the download"
    bridge.downloads_listed.emit(Downloads(request="x", downloads=(told,)))
    assert second.getting.waiting.shown == told
    second.arrive(download)
    ((_, graph),) = bridge.submitted
    assert graph.nodes["draw"].params["prompt"] == "a red fox"
    assert not (tmp_path / "waiting.json").exists()


def _other_document(window: Window) -> None:
    window.studio.window.actions_.open_template("variations")


def _no_words(window: Window) -> None:
    window.studio.parts.binding.set("prompt", "  ")


def _other_model(window: Window) -> None:
    window.studio.window.create_page.form.choose_model(OTHER.id)


def _no(window: Window) -> None:
    window.studio.window.show_workspace("create")
    (line,) = window.studio.window.create_page.findChildren(getting_line())
    assert line.isVisible()
    line.cancel.click()
    assert not line.isVisible()
    assert window.asked("cancel") == [], "the download goes on"


def getting_line() -> type:
    from studio.models.waiting_line import WaitingLine

    return WaitingLine


@pytest.mark.parametrize("changed", [_other_document, _no_words, _other_model, _no])
def test_nothing_runs_by_itself_if_something_changed(
    window: Window, changed: Callable[[Window], None]
) -> None:
    download = get(window)
    changed(window)
    before = window.studio.parts.document.graph
    window.arrive(download)
    assert window.bridge.submitted == []
    assert window.studio.parts.document.graph is before
    banner = window.studio.window.banner
    assert "is here" in banner.heading.text()
    told = window.getting.downloads.all[download]
    window.getting.take(told)
    assert window.studio.parts.binding.value("model") == told.path[8:]
    assert window.bridge.submitted == []


def test_what_is_here_is_used_at_once(window: Window) -> None:
    offer = window.page.cards[0].offer
    path = f"/models/diffusion/{offer.source.replace('/', '--')}"
    info = OTHER.model_copy(update={"id": "mine", "path": path})
    window.bridge.tell_ready(OWN, info)
    assert window.page.cards[0].button.text() == "Use it"
    window.page.cards[0].button.click()
    assert window.asked("start") == []
    assert window.studio.parts.binding.value("model") == "mine"


def test_much_that_has_arrived_is_not_thrown_away_without_a_question(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [False, True]
    monkeypatch.setattr(getting_module, "ask", lambda *words: answers.pop(0))
    download = get(window)
    window.tell(download, state="running", done=5 * 10**9, total=9 * 10**9)
    card = window.page.cards[0]
    card.parts.cancel.click()
    assert window.asked("cancel") == []
    card.parts.pause.click()
    assert window.asked("pause") == [(download, {})]
    window.tell(download, state="paused", done=5 * 10**9)
    assert not card.parts.pause.isVisible()
    card.parts.resume.click()
    assert window.asked("resume") == [(download, {})]
    card.parts.cancel.click()
    assert window.asked("cancel") == [(download, {})]
    assert not card.button.isHidden()
    assert window.getting.waiting.shown is None


def test_a_source_is_listed_and_one_file_of_it_chosen(window: Window, qtbot: QtBot) -> None:
    panel = window.page.source
    panel.field.setText("some/files")
    qtbot.keyClick(panel.field, Qt.Key.Key_Return)
    assert window.asked("look") == [("some/files", {"variant": ""})]
    pickle = DownloadFile(path="old.ckpt", bytes=9, pickled=True, source="some/files/old.ckpt")
    seen = SourceSeen(
        request=window.last("look"), source="some/files", name="some/files", bytes=3_000_000_000, folder=True,
        files=(DownloadFile(path="unet/x.safetensors", bytes=3_000_000_000),), choices=(pickle,),
        variants=("fp16",), free_bytes=2_000_000_000,
    )  # fmt: skip
    window.bridge.source_seen.emit(seen)
    assert panel.found.isVisible()
    assert "free on the disk" in panel.sum.text()
    assert panel.tree.topLevelItem(1).text(2) == "pickle"
    panel.tree.setCurrentItem(panel.tree.topLevelItem(1))
    panel.get.click()
    assert window.asked("start") == [
        ("some/files/old.ckpt", {"title": "old.ckpt", "variant": "", "model_kind": "", "curated": ""})
    ]
    error = DownloadDenied(host="huggingface.co", name="some/files", status=401)
    told = window.tell(window.last("start"), state="failed", error=ErrorData(**error.info().to_json()))
    row = window.page.rows[told.id]
    assert row.parts.token.isVisibleTo(row)
    assert "may be private" in row.parts.words.text()
    panel._look()
    window.bridge.tell_failure(window.last("look"), error)
    assert panel.banner.isVisible()
    assert not panel.found.isVisible()


def test_larger_models_are_offered_while_there_is_only_the_starter(shared_studio: Open) -> None:
    studio, bridge = shared_studio()
    card, start = studio.window.create_page.form.card, studio.window.start_page
    assert card is not None
    bridge.tell_ready(OWN)
    assert not card.more.isHidden()
    assert not start.more.isHidden()
    bridge.tell_ready(OWN, OTHER)
    assert card.more.isHidden()
    assert start.more.isHidden()
    bridge.tell_ready(OWN)
    studio.window.show_workspace("start")
    start.more.click()
    assert studio.window.workspace == "models"
    assert studio.window.models_page.stack.currentWidget() is studio.window.models_page.get_page


class Memory(KeyringBackend):
    """A keyring of the test's own."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


def test_the_token_goes_into_the_keyring_and_nowhere_else(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    before, memory = keyring.get_keyring(), Memory()
    keyring.set_keyring(memory)
    try:
        settings = SettingsStore(tmp_path / "studio.json")
        network = Preferences(settings).network
        qtbot.addWidget(network)
        qtbot.waitUntil(lambda: "Not set" in network.state.text())
        network.token.setText("two words")
        network.keep.click()
        qtbot.waitUntil(lambda: "no access token" in network.state.text())
        network.token.setText("hf_secret")
        network.keep.click()
        qtbot.waitUntil(lambda: network.state.text().startswith("Set: it is in the keyring"))
        assert memory.kept == {("diptych", "huggingface.co"): "hf_secret"}
        assert network.token.text() == ""
        network.offline.click()
        assert settings.values.stay_offline
        assert "hf_secret" not in (tmp_path / "studio.json").read_text()
        network.forget.click()
        qtbot.waitUntil(lambda: "Not set" in network.state.text())
        assert memory.kept == {}
    finally:
        keyring.set_keyring(before)


def test_staying_offline_is_told_at_once(window: Window) -> None:
    settings = window.studio.parts.settings
    settings.change(stay_offline=True)
    settings.change(recent=("x",))
    assert [reason for reason, _ in window.asked("offline")] == ["You chose to stay offline."]
    assert window.page.offline.isVisible()
    settings.change(stay_offline=False)
    assert len(window.asked("offline")) == 2
