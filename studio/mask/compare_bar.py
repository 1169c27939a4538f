"""Over the canvas while there is a result: how it is compared, which one it is, what becomes of it."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from studio.mask.preview import CompareMode
from studio.theme import current_theme
from studio.theme.tokens import ICON, SPACE_1, SPACE_2, SPACE_3
from studio.translate import tr
from studio.widgets.segmented import Segmented

EDGE: Final = 12
"""Pixels between the bar and the top of the view."""
_MANY, _SOME, _FEW = 2, 1, 0
"""Words on all buttons, on those that do something, or only on the one that applies."""
_MODES: Final = (
    (CompareMode.AFTER, "After", "compare_after", "The result in its place (hold \\ to see the picture)"),
    (CompareMode.SLIDER, "Slider", "compare_slider", "A line between before and after (, and . move it)"),
    (CompareMode.SIDE_BY_SIDE, "Side by side", "compare_side", "Picture on the left, result on the right"),
    (CompareMode.DIFFERENCE, "Difference", "compare_difference", "How much each pixel changed, amplified"),
    (CompareMode.FLICKER, "Flicker", "compare_flicker", "Before and after in turn (, and . change over)"),
)  # fmt: skip


class CompareBar(QFrame):
    """Lies over the widget it is given, and stays in the middle of its upper edge.

    ``mode_chosen`` carries a :class:`CompareMode`; the other signals say what the user wants done with the
    result that is shown. Nothing is done here.
    """

    mode_chosen = Signal(object)
    mask_overlay_chosen = Signal(bool)
    previous = Signal()
    next = Signal()
    applied = Signal()
    applied_all = Signal()
    discarded = Signal()

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self.setProperty("role", "floating")
        self.setAccessibleName(tr("Compare the result"))
        # the canvas's own cursor would be that of the tool in hand
        self.setCursor(Qt.CursorShape.ArrowCursor)
        # a press beside a button, or with the pen, must not paint on the canvas below
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)
        theme = current_theme()
        self.modes = Segmented()
        for mode, title, icon, tip in _MODES:
            words = f"{tr(title)}\n{tr(tip)}"
            self.modes.add(mode.value, tr(title), words, theme.icon(icon, "text2", "text"))
        self.modes.setAccessibleName(tr("Ways to compare"))
        self.masks = self._tool("mask", tr("Show masks over the result"), "brass")
        self.masks.setCheckable(True)
        self.masks.toggled.connect(self.mask_overlay_chosen)
        self.back = self._tool("chevron_left", tr("The result before (Left)"))
        self.which = QLabel()
        self.which.setFont(theme.font("number"))
        self.which.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.forward = self._tool("chevron_right", tr("The next result (Right)"))
        self.discard = QPushButton(tr("Discard"))
        self.discard.setToolTip(tr("Take the results away; the picture stays as it is (Esc)"))
        self.apply_all = QPushButton(tr("Apply all as layers"))
        self.apply_all.setToolTip(tr("Put each result on a layer of its own"))
        self.apply = QPushButton(tr("Apply"))
        self.apply.setProperty("role", "compact")
        self.apply.setToolTip(tr("Put the result on a layer (Enter)"))
        for button, signal in (
            (self.back, self.previous), (self.forward, self.next), (self.discard, self.discarded),
            (self.apply_all, self.applied_all), (self.apply, self.applied),
        ):  # fmt: skip
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(signal)
        for part in (self.discard, self.apply_all, self.apply):
            part.setAccessibleName(part.text())
            part.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.modes.value_changed.connect(self._mode_clicked)
        self._arrange()
        self.set_candidates(0, 0)
        over.installEventFilter(self)
        self.hide()

    def _tool(self, icon: str, tip: str, on_role: str = "") -> QToolButton:
        button = QToolButton()
        button.setIcon(current_theme().icon(icon, "text2", on_role))
        button.setIconSize(QSize(ICON, ICON))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        return button

    def _arrange(self) -> None:
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_2, SPACE_1 + 2, SPACE_2, SPACE_1 + 2)
        row.setSpacing(SPACE_1)
        self._gaps = []
        for part in (
            self.discard, None, self.modes, self.masks, None, self.back, self.which, self.forward, None,
            self.apply_all, self.apply,
        ):  # fmt: skip
            if part is None:
                gap = QWidget()
                gap.setFixedWidth(SPACE_3 - SPACE_1)
                self._gaps.append(gap)
                row.addWidget(gap)
            else:
                row.addWidget(part)
        self.modes.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    # --- what it shows ---------------------------------------------------------------------------------

    def set_mode(self, mode: CompareMode) -> None:
        """Show how the result is compared."""
        self.modes.set_value(mode.value)

    def set_candidates(self, index: int, count: int) -> None:
        """Show that the result is number ``index`` (from 0) of ``count``; without any, nothing can be applied
        (a run still draws)."""
        several = count > 1
        for part in (self.back, self.which, self.forward, self.apply_all, self._gaps[1]):
            part.setVisible(several)
        for part in (self.discard, self.apply, self._gaps[0], self._gaps[2]):
            part.setVisible(count > 0)
        self.which.setText(tr("{number} of {count}", number=index + 1, count=count))
        self.place()

    @Slot(object)
    def _mode_clicked(self, value: str) -> None:
        self.mode_chosen.emit(CompareMode(value))

    # --- where it is -----------------------------------------------------------------------------------

    def place(self) -> None:
        """To the middle of the upper edge, with words where there is room for them."""
        arrows = ("chevron_left", "chevron_right")
        if self.isRightToLeft():
            arrows = arrows[::-1]
        for button, icon in zip((self.back, self.forward), arrows, strict=True):
            button.setIcon(current_theme().icon(icon))
        room = self._over.width() - 2 * EDGE
        for words in (_MANY, _SOME, _FEW):
            self._set_words(words)
            if self.sizeHint().width() <= room:
                break
        self.resize(self.sizeHint())
        self.move((self._over.width() - self.width()) // 2, EDGE)

    def _set_words(self, words: int) -> None:
        shown = words == _MANY
        theme = current_theme()
        for mode, title, icon, _ in _MODES:
            button = self.modes.button(mode.value)
            button.setText(tr(title) if shown else "")
            button.setIcon(QIcon() if shown else theme.icon(icon, "text2", "text"))
        widest = max(self.modes.button(mode.value).sizeHint().width() for mode, *_ in _MODES)
        self.modes.setFixedWidth(len(_MODES) * (widest + (SPACE_2 if shown else 0)))
        all_text = tr("Apply all as layers") if shown else tr("All as layers")
        for part, text, icon in (
            (self.apply_all, all_text, "layers"),
            (self.discard, tr("Discard"), "trash"),
        ):
            part.setText("" if words == _FEW else text)
            part.setIcon(theme.icon(icon) if words == _FEW else QIcon())
        # what the words take is only counted anew when asked to
        self._row.invalidate()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._over and event.type() == QEvent.Type.Resize:
            self.place()
        return super().eventFilter(watched, event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        kinds = (QEvent.Type.StyleChange, QEvent.Type.FontChange, QEvent.Type.LayoutDirectionChange)
        if event.type() in kinds and self.isVisible():
            self.place()
