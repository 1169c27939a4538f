"""What the look promises, computed: contrast of every pair, icons in the scheme's colours, a live switch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QImage
from PySide6.QtWidgets import QApplication, QLabel

import studio
from pipelines.paths import RESOURCES
from studio.theme import current_theme, icons
from studio.theme.qss import style_sheet
from studio.theme.tokens import DARK, SCHEMES, Tokens, contrast, scheme

GROUNDS = ("bg0", "bg1", "bg2")
HUES = ("ember", "iris", "brass", "good", "warn", "bad")
NORMAL = [item for item in SCHEMES.values() if not item.high_contrast]
HIGH = [item for item in SCHEMES.values() if item.high_contrast]
ICONS = sorted((RESOURCES / "icons").glob("*.svg"))


def ratio(tokens: Tokens, colour: str, ground: str) -> float:
    return contrast(getattr(tokens, colour), getattr(tokens, ground))


def test_contrast_of_known_pairs() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("tokens", NORMAL, ids=lambda item: item.name)
@pytest.mark.parametrize("ground", GROUNDS)
def test_text_is_readable(tokens: Tokens, ground: str) -> None:
    assert ratio(tokens, "text", ground) >= 12
    assert ratio(tokens, "text2", ground) >= 5
    assert ratio(tokens, "text3", ground) >= 3


@pytest.mark.parametrize("tokens", NORMAL, ids=lambda item: item.name)
@pytest.mark.parametrize("hue", HUES)
@pytest.mark.parametrize("ground", GROUNDS)
def test_hues_are_seen(tokens: Tokens, hue: str, ground: str) -> None:
    # they colour shapes and large marks: 3:1 is what WCAG asks of those, 4:1 is what we keep
    assert ratio(tokens, hue, ground) >= 4


@pytest.mark.parametrize("tokens", SCHEMES.values(), ids=lambda item: item.name)
def test_the_primary_button_is_readable(tokens: Tokens) -> None:
    assert ratio(tokens, "on_brass", "brass") >= 4.5


@pytest.mark.parametrize("tokens", HIGH, ids=lambda item: item.name)
@pytest.mark.parametrize("ground", GROUNDS)
def test_high_contrast(tokens: Tokens, ground: str) -> None:
    assert getattr(tokens, ground).upper() == ("#000000" if tokens.dark else "#FFFFFF")
    assert tokens.line == tokens.text
    for name in ("text", "text2", "text3", *HUES):
        assert ratio(tokens, name, ground) >= 7, name


def test_each_scheme_has_its_name() -> None:
    assert scheme(True, False) is DARK
    assert {item.name for item in SCHEMES.values()} == {"dark", "light", "dark-contrast", "light-contrast"}


def test_no_colour_outside_the_tokens() -> None:
    colour = re.compile(r"""["'(: ]#[0-9a-fA-F]{6}\b""")
    here = Path(studio.__file__).parent
    files = here.rglob("*.py")
    # the colour field explains how a colour is written; what is painted with is the user's
    allowed = {"tokens.py", "text_editors.py", "layer_properties.py", "tool_settings.py"}
    found = [
        path.name for path in files if path.name not in allowed and colour.search(path.read_text("utf-8"))
    ]
    assert not found


@pytest.mark.parametrize("path", ICONS, ids=lambda path: path.stem)
def test_icons_have_no_colours_of_their_own(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb\(", text)
    if not path.stem.startswith("art_"):
        assert 'viewBox="0 0 20 20"' in text
        assert 'stroke-width="1.5"' in text


def _colours(image: QImage) -> set[str]:
    size = image.size()
    pixels = (image.pixelColor(x, y) for x in range(size.width()) for y in range(size.height()))
    return {pixel.name() for pixel in pixels if pixel.alpha() == 255}


@pytest.mark.parametrize("scale", [1, 1.25, 1.5, 2])
def test_icons_are_drawn_at_device_size(qapp: QApplication, scale: float) -> None:
    pixmap = icons.pixmap("square", DARK, "brass", QSize(20, 20), scale)
    assert pixmap.width() == round(20 * scale)
    assert pixmap.devicePixelRatio() == scale
    assert QColor(DARK.brass).name() in _colours(pixmap.toImage())


def test_icons_follow_the_theme(qapp: QApplication) -> None:
    theme = current_theme()
    theme.apply("dark")
    icon = theme.icon("square", "text")
    dark = _colours(icon.pixmap(20, 20).toImage())
    theme.apply("light")
    light = _colours(icon.pixmap(20, 20).toImage())
    disabled = _colours(icon.pixmap(QSize(20, 20), QIcon.Mode.Disabled).toImage())
    theme.apply("dark")
    assert QColor(DARK.text).name() in dark
    assert dark != light != disabled


def test_the_theme_is_switched_live(qapp: QApplication, qtbot: object) -> None:
    theme = current_theme()
    theme.apply("dark")
    label = QLabel("text")
    before = label.palette().window().color()
    heard: list[bool] = []
    theme.changed.connect(lambda: heard.append(theme.dark))
    theme.apply("light", scale=1.5, reduced_motion=True)
    assert heard == [False]
    assert label.palette().window().color() != before
    assert qapp.font().pixelSize() == round(13 * 1.5)
    assert theme.motion_ms == 0
    theme.apply("dark")
    assert theme.motion_ms == 120


def test_text_scale_is_bounded(qapp: QApplication) -> None:
    theme = current_theme()
    theme.apply("dark", scale=40)
    assert theme.scale == 2.0
    theme.apply("dark")


@pytest.mark.parametrize("tokens", SCHEMES.values(), ids=lambda item: item.name)
def test_the_style_sheet_is_complete(tokens: Tokens) -> None:
    sheet = style_sheet(tokens, 1.0)
    assert "$" not in sheet
    assert sheet.count("{") == sheet.count("}")
