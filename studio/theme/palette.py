"""Tokens to :class:`QPalette`, for everything the style sheet doesn't reach."""

from __future__ import annotations

from PySide6.QtGui import QColor, QPalette

from studio.theme.tokens import Tokens


def palette(tokens: Tokens) -> QPalette:
    """The palette of a scheme."""
    result = QPalette()
    role = QPalette.ColorRole
    for name, colour in (
        (role.Window, tokens.bg1), (role.WindowText, tokens.text), (role.Base, tokens.bg2),
        (role.AlternateBase, tokens.bg1), (role.Text, tokens.text), (role.Button, tokens.bg2),
        (role.ButtonText, tokens.text), (role.BrightText, tokens.bad), (role.ToolTipBase, tokens.bg3),
        (role.ToolTipText, tokens.text), (role.PlaceholderText, tokens.text2), (role.Highlight, tokens.brass),
        (role.HighlightedText, tokens.on_brass), (role.Link, tokens.iris), (role.LinkVisited, tokens.iris),
        (role.Light, tokens.bg3), (role.Midlight, tokens.bg2), (role.Mid, tokens.line),
        (role.Dark, tokens.line), (role.Shadow, tokens.shadow), (role.Accent, tokens.brass),
    ):  # fmt: skip
        result.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        result.setColor(QPalette.ColorGroup.Disabled, name, QColor(tokens.text3))
    result.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(tokens.bg3))
    return result
