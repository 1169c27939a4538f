"""The only place with colours, sizes and durations. Four schemes: dark, light, and each in high contrast."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Tokens:
    """One scheme; every colour is ``#rrggbb``."""

    name: str
    dark: bool
    high_contrast: bool
    bg0: str
    """Canvas, behind images."""
    bg1: str
    """Panels and nodes."""
    bg2: str
    """Fields, node titles, hover."""
    bg3: str
    """Pressed, tracks."""
    line: str
    text: str
    text2: str
    text3: str
    """Disabled only."""
    ember: str
    iris: str
    brass: str
    good: str
    warn: str
    bad: str
    on_brass: str
    """Text on the primary button."""
    shadow: str = "#000000"

    def colours(self) -> dict[str, str]:
        """Every colour by its token's name."""
        return {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name not in ("name", "dark", "high_contrast")
        }


DARK: Final = Tokens(
    "dark", True, False,
    bg0="#141518", bg1="#1C1E22", bg2="#25282D", bg3="#30343B", line="#3B4048",
    text="#ECEEF1", text2="#B0B6BF", text3="#7F8791",
    ember="#F0803C", iris="#8A96FF", brass="#D2AE66",
    good="#5FC48A", warn="#E8B84A", bad="#F2685F", on_brass="#1A1710",
)  # fmt: skip

LIGHT: Final = Tokens(
    "light", False, False,
    bg0="#F4F2EE", bg1="#FFFFFF", bg2="#EEEBE5", bg3="#E2DED6", line="#CFCABF",
    text="#1C1E22", text2="#555B64", text3="#7E848D",
    ember="#B9531A", iris="#4653C9", brass="#8A6A22",
    good="#1F7A47", warn="#8A6300", bad="#B8352C", on_brass="#FFFFFF",
)  # fmt: skip

DARK_CONTRAST: Final = replace(
    DARK, name="dark-contrast", high_contrast=True,
    bg0="#000000", bg1="#000000", bg2="#000000", bg3="#2A2A2A", line="#FFFFFF",
    text="#FFFFFF", text2="#F0F0F0", text3="#A8A8A8",
    ember="#FF9A5C", iris="#A6AFFF", brass="#E8C67E", bad="#FF8A80", on_brass="#000000",
)  # fmt: skip

LIGHT_CONTRAST: Final = replace(
    LIGHT, name="light-contrast", high_contrast=True,
    bg0="#FFFFFF", bg1="#FFFFFF", bg2="#FFFFFF", bg3="#E0E0E0", line="#000000",
    text="#000000", text2="#1C1C1C", text3="#595959",
    ember="#8A3A0E", iris="#3440A8", brass="#634A12",
    good="#12562F", warn="#5E4300", bad="#8F211A", on_brass="#FFFFFF",
)  # fmt: skip

SCHEMES: Final = {scheme.name: scheme for scheme in (DARK, LIGHT, DARK_CONTRAST, LIGHT_CONTRAST)}


def scheme(dark: bool, high_contrast: bool) -> Tokens:
    """The tokens for a choice of brightness and contrast."""
    return SCHEMES[("dark" if dark else "light") + ("-contrast" if high_contrast else "")]


# --- sizes (logical pixels at text scale 1) and time ---------------------------------------------------

FONT_LABEL: Final = 11
FONT_BODY: Final = 13
FONT_HEADING: Final = 15
FONT_TITLE: Final = 20

SPACE_1: Final = 4
SPACE_2: Final = 8
SPACE_3: Final = 12
SPACE_4: Final = 16
SPACE_5: Final = 24
SPACE_6: Final = 32

RADIUS: Final = 6
RADIUS_FIELD: Final = 4
RADIUS_NODE: Final = 8
ROW: Final = 28
ROW_TOUCH: Final = 36
FOCUS: Final = 2
ICON: Final = 20
MOTION_MS: Final = 120


# --- contrast ------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` in 0..1 (WCAG 2.2, "relative luminance")."""

    def channel(value: int) -> float:
        part = value / 255
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (channel(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1..21 (WCAG 2.2, "contrast ratio")."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mix(first: str, second: str, amount: float) -> str:
    """``amount`` (0..1) of ``second`` over ``first``, in sRGB."""
    pairs = ((int(first[at : at + 2], 16), int(second[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * amount):02x}" for a, b in pairs)
