"""The settings of how it looks, put into the theme."""

from __future__ import annotations

from studio.parts import Parts
from studio.theme import current_theme


def apply_theme(parts: Parts) -> None:
    """The theme as the settings say; nothing happens if it is so already."""
    values, theme = parts.settings.values, current_theme()
    wanted = (values.theme, values.high_contrast, values.text_scale, values.reduced_motion)
    if theme.property("applied") != repr(wanted):
        theme.setProperty("applied", repr(wanted))
        theme.apply(
            values.theme,
            high_contrast=values.high_contrast,
            scale=values.text_scale,
            reduced_motion=values.reduced_motion,
        )
