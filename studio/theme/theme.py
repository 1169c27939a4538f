"""The theme in use: one object below the application, asked by every widget that paints itself."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QObject, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPixmap
from PySide6.QtWidgets import QApplication

from studio.theme import icons, tokens
from studio.theme.palette import palette
from studio.theme.qss import style_sheet
from studio.theme.style import DiptychStyle
from studio.theme.tokens import Tokens

Mode = Literal["system", "dark", "light"]
FontRole = Literal["label", "body", "heading", "title", "mono", "number"]
_SIZES: dict[FontRole, int] = {
    "label": tokens.FONT_LABEL,
    "body": tokens.FONT_BODY,
    "heading": tokens.FONT_HEADING,
    "title": tokens.FONT_TITLE,
    "mono": tokens.FONT_BODY,
    "number": tokens.FONT_BODY,
}


class Theme(QObject):
    """Tokens, fonts and icons in use. ``changed`` is sent after a switch; ask :func:`current_theme` for
    the object."""

    changed = Signal()

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._app = app
        self._mode: Mode = "dark"
        self._high_contrast = False
        self._styled = False
        self.scale = 1.0
        self.reduced_motion = False
        self.tokens: Tokens = tokens.DARK
        self._family = app.font().family()
        app.styleHints().colorSchemeChanged.connect(self._follow_system)

    # --- choosing --------------------------------------------------------------------------------------

    def apply(
        self, mode: Mode, *, high_contrast: bool = False, scale: float = 1.0, reduced_motion: bool = False
    ) -> None:
        """Switch the whole application. ``scale`` is the size of text, 0.8 to 2."""
        self._mode, self._high_contrast = mode, high_contrast
        self.scale = min(max(scale, 0.8), 2.0)
        self.reduced_motion = reduced_motion
        self._install()

    @Slot()
    def _follow_system(self) -> None:
        if self._mode == "system":
            self._install()

    def _is_dark(self) -> bool:
        if self._mode == "system":
            return self._app.styleHints().colorScheme() != Qt.ColorScheme.Light
        return self._mode == "dark"

    def _install(self) -> None:
        self.tokens = tokens.scheme(self._is_dark(), self._high_contrast)
        if not self._styled:
            # once: behind a style sheet the application no longer tells which style it has
            self._styled = True
            self._app.setStyle(DiptychStyle())
        self._app.setFont(self.font("body"))
        self._app.setPalette(palette(self.tokens))
        self._app.setStyleSheet(style_sheet(self.tokens, self.scale))
        self.changed.emit()

    # --- asking ----------------------------------------------------------------------------------------

    @property
    def dark(self) -> bool:
        return self.tokens.dark

    def color(self, name: str) -> QColor:
        """The colour of a token (``bg0``, ``ember``…)."""
        return QColor(getattr(self.tokens, name))

    def px(self, size: float) -> int:
        """A length that grows with the size of text."""
        return round(size * self.scale)

    def font(self, role: FontRole = "body", *, bold: bool = False) -> QFont:
        """The UI font in one of the four sizes, ``mono`` (the platform's) or ``number`` (tabular figures)."""
        if role == "mono":
            font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        else:
            font = QFont(self._family)
        font.setPixelSize(self.px(_SIZES[role]))
        if bold or role in ("heading", "title"):
            font.setWeight(QFont.Weight.DemiBold)
        if role == "number":
            font.setFeature(QFont.Tag("tnum"), 1)
        return font

    def icon(self, name: str, role: str = "text2", on_role: str = "") -> QIcon:
        """An icon of ``resources/icons`` in the colour of a token; it follows the theme. ``on_role`` when
        checked."""
        return QIcon(icons.SvgIconEngine(name, role, lambda: self.tokens, on_role))

    def pixmap(self, name: str, size: int, role: str = "text2", ratio: float = 1.0) -> QPixmap:
        """An icon as a pixmap, ``size`` logical pixels a side, in the present colours."""
        return icons.pixmap(name, self.tokens, role, QSize(size, size), ratio)

    @property
    def motion_ms(self) -> int:
        """How long a movement lasts: 0 with reduced motion."""
        return 0 if self.reduced_motion else tokens.MOTION_MS


def current_theme() -> Theme:
    """The application's theme (made on first use, not applied: the composition root applies it)."""
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        raise RuntimeError("a theme needs a QApplication")
    found = app.findChild(Theme, options=Qt.FindChildOption.FindDirectChildrenOnly)
    return found if isinstance(found, Theme) else Theme(app)
