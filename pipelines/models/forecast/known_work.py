"""What the denoisers of the families multiply, for models of which only the size is known.

Each beside the numbers of the network it was counted in; those of other sizes do operations in proportion.
``python -m pipelines.models.forecast.fit`` prints them anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.models.forecast.work import Work

KNOWN: Final[Mapping[str, tuple[int, Work]]] = {
    "sd1": (859_520_964, Work(
        {0: 27_568_640, 1: 107_417_600, 2: 369_049_600, 3: 308_019_200},
        {0: 1_600, 1: 3_200, 2: 6_400, 3: 1_280}, {0: 1_600, 1: 3_200, 2: 6_400, 3: 1_280},
        text=19_169_280, layers=258,
    )),
    "sd2": (865_910_724, Work(
        {0: 27_568_640, 1: 107_417_600, 2: 369_049_600, 3: 308_019_200},
        {0: 1_600, 1: 3_200, 2: 6_400, 3: 1_280}, {0: 1_600, 1: 3_200, 2: 6_400, 3: 1_280},
        text=25_559_040, layers=258,
    )),
    "sdxl": (2_567_463_684, Work(
        {0: 17_328_640, 1: 144_281_600, 2: 2_038_579_200}, {1: 6_400, 2: 76_800},
        {1: 6_400, 2: 76_800}, text=340_787_200, layers=773,
    )),
    "sd3": (2_469_663_936, Work(
        {0: 802_357_248}, {0: 19_968}, {}, text=658_243_584, whole=36_864, layers=339,
    )),
    "pixart": (610_856_096, Work(
        {0: 520_280_064}, {0: 32_256}, {0: 32_256}, text=80_363_520, layers=284,
    )),
    "sana": (1_604_462_752, Work(
        {0: 1_356_911_360}, {0: 44_800}, {0: 44_800}, text=210_882_560, layers=224,
    )),
    "flux": (11_901_408_320, Work(
        {0: 2_152_071_168}, {}, {}, joint=4_303_355_904, text=2_151_677_952, whole=175_104, layers=420,
    )),
    "flux2": (32_223_281_152, Work(
        {0: 3_927_441_408}, {}, {}, joint=23_555_211_264, text=3_925_868_544, whole=344_064, layers=194,
    )),
    "chroma": (8_899_983_424, Work(
        {0: 2_152_071_168}, {}, {}, joint=4_303_355_904, text=2_151_677_952, whole=175_104, layers=420,
    )),
    "qwen-image": (20_430_401_088, Work(
        {0: 6_795_165_696}, {}, {}, text=6_805_782_528, whole=184_320, layers=723,
    )),
    "z-image": (6_154_908_736, Work(
        {0: 491_520}, {}, {}, joint=5_662_310_400, text=363_724_800, whole=122_880, layers=241,
    )),
    "lumina2": (2_609_769_152, Work(
        {0: 147_456}, {}, {}, joint=2_179_989_504, text=155_713_536, whole=64_512, layers=211,
    )),
    "hidream": (17_106_716_416, Work(
        {0: 2_560_000_000}, {}, {}, joint=5_117_378_560, text=1_782_579_200, whole=122_880, layers=1_123,
    )),
    "kandinsky5": (2_147_285_776, Work(
        {0: 1_476_460_544}, {0: 65_536}, {0: 65_536}, text=351_272_960, layers=335,
    )),
    "auraflow": (6_833_439_744, Work(
        {0: 453_083_136}, {}, {}, joint=3_623_878_656, text=452_984_832, whole=110_592, layers=282,
    )),
}  # fmt: skip
"""By family: numbers of its weights, and what one pass multiplies."""
