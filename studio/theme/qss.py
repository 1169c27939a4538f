"""The application's style sheet, made from tokens. Class names are set as the dynamic property ``role``."""

from __future__ import annotations

import string
from functools import lru_cache

from studio.theme.tokens import (
    FONT_BODY,
    FONT_HEADING,
    FONT_LABEL,
    FONT_TITLE,
    RADIUS,
    RADIUS_FIELD,
    ROW,
    Tokens,
    mix,
)

_SHEET = """
QWidget { color: $text; font-size: ${body}px; }
QMainWindow, QDialog { background: $bg1; }
QToolTip { background: $bg3; color: $text; border: 1px solid $line; padding: 5px 7px; font-size: ${label}px; }

QLabel { background: transparent; }
QLabel[role="label"], QLabel[role="hint"] { color: $text2; font-size: ${label}px; }
QLabel[role="body2"] { color: $text2; }
QLabel[role="strong"] { font-weight: 600; }
QLabel[role="brass"] { color: $link; font-size: ${label}px; font-weight: 600; }
QLabel[role="heading"] { font-size: ${heading}px; font-weight: 600; }
QLabel[role="title"] { font-size: ${title}px; font-weight: 600; }
QLabel[role="brand"] { font-size: ${heading}px; font-weight: 600; }
QLabel:disabled { color: $text3; }

QFrame[role="panel"] { background: $bg1; border: none; }
QFrame[role="topbar"] { background: $bg1; border: none; border-bottom: 1px solid $line; }
QFrame[role="statusbar"] { background: $bg1; border: none; border-top: 1px solid $line; }
QFrame[role="stage"], QWidget[role="stage"] { background: $bg0; }
QFrame[role="rule"] { background: $line; border: none; max-height: 1px; min-height: 1px; }
QFrame[role="card"] { background: $bg1; border: 1px solid $line; border-radius: ${radius_node}px; }
QFrame[role="floating"] { background: $bg1; border: 1px solid $line; border-radius: ${radius_node}px; }
QFrame[role="banner"] { background: $bg2; border: 1px solid $line; border-radius: ${radius}px; }
QFrame[role="banner"][severity="error"] { border-color: $bad; }
QFrame[role="banner"][severity="warning"] { border-color: $warn; }

QPushButton { background: $bg2; border: 1px solid $line; border-radius: ${radius}px; padding: 0 12px;
  min-height: ${control}px; }
QPushButton:hover { background: $bg3; }
QPushButton:pressed { background: $bg3; border-color: $text2; }
QPushButton:checked { background: $bg3; border-color: $brass; }
QPushButton:focus { border: 2px solid $brass; padding: 0 11px; min-height: ${control_focus}px; }
QPushButton:disabled { color: $text3; background: $bg1; }
QPushButton[role="primary"] { background: $brass; color: $on_brass; border: 1px solid $brass; font-weight:
600;
  min-height: ${primary}px; font-size: ${heading}px; }
QPushButton[role="primary"]:hover { background: $brass_hover; border-color: $brass_hover; }
QPushButton[role="primary"]:pressed { background: $brass_pressed; border-color: $brass_pressed; }
QPushButton[role="primary"]:focus { border: 2px solid $text; padding: 0 11px; min-height:
${primary_focus}px; }
QPushButton[role="primary"]:disabled { background: $bg3; color: $text3; border-color: $bg3; }
QPushButton[role="compact"] { background: $brass; color: $on_brass; border: 1px solid $brass; font-weight:
600;
  min-height: ${chip}px; }
QPushButton[role="compact"]:hover { background: $brass_hover; border-color: $brass_hover; }
QPushButton[role="compact"]:disabled { background: $bg3; color: $text3; border-color: $bg3; }
QPushButton[role="compact"]:focus { border: 2px solid $text; min-height: ${chip_focus}px; }
QPushButton[role="stop"] { background: $bg2; color: $text; border: 1px solid $brass; font-weight: 600;
  min-height: ${primary}px; font-size: ${heading}px; }
QPushButton[role="stop"]:hover { background: $bg3; }
QPushButton[role="stop"]:focus { border: 2px solid $brass; padding: 0 11px; min-height: ${primary_focus}px; }
QPushButton[role="link"] { background: transparent; border: 1px solid transparent; color: $link; padding: 0
4px;
  min-height: 20px; text-align: left; }
QPushButton[role="link"][flush="true"] { margin-left: -5px; }
QPushButton[role="link"]:hover { text-decoration: underline; }
QPushButton[role="link"]:focus { border: 2px solid $brass; padding: 0 3px; min-height: 18px; }
QPushButton[role="link"]:disabled { color: $text3; }
QPushButton[role="chip"] { background: $bg2; border: 1px solid $line; border-radius: ${chip_radius}px;
  padding: 0 9px; min-height: ${chip}px; color: $text2; font-size: ${label}px; text-align: left; }
QPushButton[role="chip"]:hover { background: $bg3; color: $text; }
QPushButton[role="chip"]:checked { background: $bg3; border-color: $brass; color: $text; }
QPushButton[role="chip"]:focus { border: 2px solid $brass; padding: 0 8px; min-height: ${chip_focus}px; }
QPushButton[role="tile"] { background: $bg1; border: 1px solid $line; border-radius: ${radius_node}px;
  text-align: left; padding: 0; }
QPushButton[role="tile"]:hover { background: $bg2; border-color: $text2; }
QPushButton[role="tile"]:focus { border: 2px solid $brass; }
QPushButton[role="segment"] { background: $bg2; border: 1px solid $line; border-radius: 0; padding: 0 4px;
  min-width: 28px; color: $text2; }
QPushButton[role="segment"][place="middle"], QPushButton[role="segment"][place="last"] { margin-left: -1px; }
QPushButton[role="segment"]:hover { background: $bg3; color: $text; }
QPushButton[role="segment"]:checked { background: $bg3; color: $text; border-color: $brass; font-weight:
600; }
QPushButton[role="segment"]:focus { border: 2px solid $brass; padding: 0 3px; }
QPushButton[role="segment"]:disabled { color: $text3; }
QPushButton[role="segment"][place="first"] { border-top-left-radius: ${radius}px;
border-bottom-left-radius: ${radius}px; }
QPushButton[role="segment"][place="last"] { border-top-right-radius: ${radius}px;
border-bottom-right-radius: ${radius}px; }

QToolButton { background: transparent; border: 1px solid transparent; border-radius: ${radius_field}px;
padding: 3px; }
QToolButton:hover { background: $bg2; }
QToolButton:pressed, QToolButton:checked { background: $bg3; }
QToolButton:focus { border: 2px solid $brass; padding: 2px; }
QToolButton:disabled { color: $text3; }
QToolButton::menu-indicator { image: none; }
QToolButton[role="section"] { color: $text2; font-size: ${label}px; font-weight: 600; padding: 4px 0;
  margin-left: -6px; text-align: left; }
QToolButton[role="section"]:hover { color: $text; background: transparent; }
QToolButton[role="section"]:checked { background: transparent; }
QToolButton[role="section"]:focus { border: 2px solid $brass; padding: 3px 0; }
QToolButton[role="tab"] { color: $text2; padding: 0 14px; border: none; border-radius: ${radius}px;
  min-height: ${control}px; font-weight: 600; }
QToolButton[role="tab"]:hover { color: $text; background: $bg2; }
QToolButton[role="tab"]:checked { color: $text; background: $bg3; }
QToolButton[role="tab"]:focus { border: 2px solid $brass; padding: 0 12px; min-height: ${control_focus}px; }
QToolButton[role="task"] { background: $bg2; border: 1px solid $line; border-radius: ${radius}px;
  color: $text2; padding: 6px 2px 5px 2px; font-size: ${label}px; }
QToolButton[role="task"]:hover { background: $bg3; color: $text; }
QToolButton[role="task"]:checked { background: $bg3; border-color: $brass; color: $text; }
QToolButton[role="task"]:focus { border: 2px solid $brass; padding: 5px 1px 4px 1px; }
QToolButton[role="quiet"] { color: $text2; font-size: ${label}px; padding: 2px 6px; }
QToolButton[role="quiet"][flush="true"] { margin-left: -10px; }
QToolButton[role="quiet"]:hover { color: $text; }
QToolButton[role="quiet"]:focus { border: 2px solid $brass; padding: 1px 5px; }

QLineEdit, QPlainTextEdit, QTextEdit, QComboBox, QAbstractSpinBox { background: $bg2; border: 1px solid $line;
  border-radius: ${radius_field}px; selection-background-color: $brass; selection-color: $on_brass; }
QLineEdit, QComboBox { padding: 0 7px; min-height: ${control}px; }
QPlainTextEdit, QTextEdit { padding: 4px 4px; }
QLineEdit:hover, QComboBox:hover, QPlainTextEdit:hover { border-color: $text3; }
QLineEdit:focus, QComboBox:focus, QComboBox:on { border: 2px solid $brass; padding: 0 6px; min-height:
${control_focus}px; }
QPlainTextEdit:focus, QTextEdit:focus { border: 2px solid $brass; padding: 3px 3px; }
QLineEdit:disabled, QPlainTextEdit:disabled, QComboBox:disabled { color: $text3; background: $bg1; }
QLineEdit:read-only { color: $text2; }
*[invalid="true"] { border-color: $bad; }
QPlainTextEdit[role="log"] { background: $bg0; border: none; border-radius: 0; padding: 8px; }
QComboBox::drop-down { border: none; width: 22px; }
QComboBox::down-arrow { image: url("$chevron"); width: 12px; height: 12px; }
QComboBox QAbstractItemView { background: $bg1; border: 1px solid $line; padding: 4px; outline: none;
  selection-background-color: $bg3; selection-color: $text; }
QComboBox QAbstractItemView::item { min-height: ${control_focus}px; padding: 0 6px; border-radius: 3px; }
QComboBox QAbstractItemView::item:disabled { color: $text3; }

QCheckBox { spacing: 8px; min-height: 24px; border: 2px solid transparent; border-radius: ${radius_field}px; }
QCheckBox:focus { border-color: $brass; }
QCheckBox::indicator { width: 16px; height: 16px; border: 1px solid $text3; border-radius: 3px; background:
$bg2; }
QCheckBox::indicator:hover { border-color: $text2; }
QCheckBox::indicator:checked { background: $brass; border-color: $brass; image: url("$check"); }
QCheckBox::indicator:disabled { border-color: $line; background: $bg1; }

QSlider { min-height: 22px; border: 2px solid transparent; border-radius: ${radius_field}px; }
QSlider:focus { border-color: $brass; }
QSlider::groove:horizontal { height: 4px; background: $bg3; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $brass; border-radius: 2px; }
QSlider::handle:horizontal { width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background:
$text; }
QSlider::handle:horizontal:disabled, QSlider::sub-page:horizontal:disabled { background: $text3; }

QMenuBar { background: $bg1; padding: 2px 8px; }
QMenuBar::item { padding: 4px 9px; border-radius: ${radius_field}px; background: transparent; color: $text2; }
QMenuBar::item:selected, QMenuBar::item:pressed { background: $bg3; color: $text; }
QMenu { background: $bg1; border: 1px solid $line; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 12px; border-radius: ${radius_field}px; min-height: 18px; }
QMenu::item:selected { background: $bg3; }
QMenu::item:disabled { color: $text3; }
QMenu::icon { padding-left: 8px; }
QMenu::separator { height: 1px; background: $line; margin: 4px 8px; }

QScrollArea { background: transparent; border: none; }
QScrollArea > QWidget > QWidget[role="scrolled"] { background: transparent; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle { background: $bg3; border-radius: 4px; margin: 2px; min-height: 28px; min-width: 28px; }
QScrollBar::handle:hover { background: $text3; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QAbstractScrollArea::corner { background: transparent; }

QListView, QTreeView, QTableView { background: transparent; border: none; outline: none;
  selection-background-color: $bg3; selection-color: $text; }
QListView::item, QTreeView::item { border-radius: ${radius_field}px; }
QListView[role="history"] { padding: 0 6px; }
QListView[role="history"]::item { padding: 0 6px; }
QListView[role="history"]::item:selected { background: $bg3; color: $text; }
QListView[role="boxed"] { background: $bg2; border: 1px solid $line; border-radius: ${radius_field}px; }
QTreeView::item { min-height: ${chip}px; }
QTreeView[role="boxed"] { background: $bg2; border: 1px solid $line; border-radius: ${radius_field}px; }
QTreeView[role="boxed"]::item { border-radius: 0; }
QTreeView[role="boxed"] QHeaderView::section { background: $bg2; }
QTreeView::item:selected { background: $bg3; color: $text; }
QTableView::item { padding: 0 4px; }
QHeaderView::section { background: $bg1; color: $text2; border: none; border-bottom: 1px solid $line;
padding: 4px 6px; }

QDockWidget { titlebar-close-icon: none; titlebar-normal-icon: none; }
QTabWidget::pane { border: none; }
QTabBar { background: $bg1; qproperty-drawBase: 0; }
QTabBar::tab { color: $text2; padding: 0 12px; min-height: ${row}px; border-bottom: 2px solid transparent; }
QTabBar[role="icons"]::tab { padding: 0 2px; }
QTabBar[role="icons"]::tab:selected { padding: 0 6px; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:selected { color: $text; border-bottom-color: $brass; }
QTabBar::tab:focus { color: $text; background: $bg2; border-bottom-color: $brass; }
QSplitter::handle { background: $line; }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }
QMainWindow::separator { background: $line; width: 1px; height: 1px; }
QMainWindow::separator:hover { background: $brass; }
"""


def _picture(name: str, tokens: Tokens, role: str) -> str:
    """The path of a recoloured icon: a style sheet can only name files. Kept in the cache, made when it is
    missing."""
    from pipelines.paths import cache_dir
    from studio.theme.icons import recolour, source

    path = cache_dir() / "theme" / f"{name}-{role}-{tokens.name}.svg"
    text = recolour(source(name), tokens, role)
    try:
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError:
        # without a cache folder these two marks are missing; nothing else is
        return ""
    return path.as_posix()


@lru_cache(maxsize=8)
def style_sheet(tokens: Tokens, scale: float) -> str:
    """The style sheet of a scheme with text ``scale`` times as large."""

    def px(value: float) -> str:
        return str(round(value * scale))

    control = round(ROW * scale) - 2
    return string.Template(_SHEET).substitute(
        tokens.colours(),
        body=px(FONT_BODY), label=px(FONT_LABEL), heading=px(FONT_HEADING), title=px(FONT_TITLE),
        radius=RADIUS, radius_field=RADIUS_FIELD, radius_node=8,
        control=control, control_focus=control - 2, row=ROW,
        primary=round(38 * scale), primary_focus=round(38 * scale) - 2,
        chip=round(22 * scale), chip_focus=round(22 * scale) - 2, chip_radius=round(22 * scale) // 2,
        brass_hover=mix(tokens.brass, tokens.text, 0.15), brass_pressed=mix(tokens.brass, tokens.bg0, 0.15),
        link=tokens.brass,
        chevron=_picture("chevron_down", tokens, "text2"), check=_picture("check", tokens, "on_brass"),
    )  # fmt: skip
