"""Make the pictures of the start page: each template, run with the starter models.

    python packaging/template_pictures.py [--out resources/templates]

Each picture is 2:1, for two pixels a pixel of the page, and stays under 120 KB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "resources" / "templates"
SIDE = 272
"""Half the width of a picture, and its height."""
GAP = 8
LIMIT = 120_000
EMBER, IRIS = (240, 128, 60), (122, 132, 240)
LINES = (0.78, 0.92, 0.6, 0.86, 0.4)
"""How long the lines are that stand for what the text model writes."""


def diptych(*arguments: str) -> Any:
    """The answer of a command that prints JSON."""
    command = [sys.executable, "-m", "pipelines.cli", *arguments, "--json"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def run(folder: Path, name: str, *settings: str) -> list[Image.Image]:
    """The pictures a template makes."""
    answer = diptych("run", str(TEMPLATES / f"{name}.json"), *settings, "-o", str(folder))
    found = answer["graphs"][0]["outputs"]["save"]["path"]
    return [Image.open(path).convert("RGB") for path in (found if isinstance(found, list) else [found])]


def row(*pictures: Image.Image, gap: int = 0) -> Image.Image:
    """Squares beside each other, in the middle of an empty picture."""
    whole = Image.new("RGBA", (2 * SIDE, SIDE))
    side = (2 * SIDE - gap * (len(pictures) + 1)) // len(pictures)
    for index, picture in enumerate(pictures):
        square = picture.convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)
        whole.paste(square, (gap + index * (side + gap), (SIDE - side) // 2))
    return whole


def drawn(folder: Path) -> Image.Image:
    """Two prompts, two pictures."""
    found = [
        run(folder, "prompt_to_image", f"prompt={prompt}", f"seed={seed}")[0]
        for prompt, seed in (
            ("a fox in the snow, 3d style", 7),
            ("a white sailboat on the sea at night, flat style", 4),
        )
    ]
    return row(*found)


def written(folder: Path) -> Image.Image:
    """Lines of text, and the picture that is drawn of them."""
    (picture,) = run(folder, "text_model_writes", "seed=3", "--set", "write.seed=3")
    lines = Image.new("RGBA", (SIDE, SIDE))
    pen = ImageDraw.Draw(lines)
    for index, length in enumerate(LINES):
        top = 58 + index * 34
        pen.rounded_rectangle((32, top, 32 + round(length * (SIDE - 64)), top + 14), 7, IRIS)
    return row(lines, picture)


def painted_over(folder: Path) -> Image.Image:
    """A picture with a mask, and what is drawn under it."""
    (before,) = run(folder, "prompt_to_image", "prompt=a green frog on green grass", "seed=23")
    mask, unit = Image.new("L", before.size), before.width / 16
    ImageDraw.Draw(mask).ellipse((3 * unit, 5 * unit, 13 * unit, 15.6 * unit), 255)
    before.save(folder / "before.png")
    mask.save(folder / "mask.png")
    after = folder / "after.png"
    diptych(
        "inpaint", str(folder / "before.png"), str(folder / "mask.png"),
        "a red apple on green grass, 3d style", "--seed", "3", "-o", str(after),
    )  # fmt: skip
    half = mask.point(lambda value: value * 11 // 20)
    shown = Image.composite(Image.new("RGB", before.size, EMBER), before, half)
    return row(shown, Image.open(after))


def varied(folder: Path) -> Image.Image:
    """One prompt, four seeds."""
    return row(*run(folder, "variations", "prompt=a fox in the snow, 3d style", "seed=5"), gap=GAP)


def save(picture: Image.Image, path: Path) -> None:
    """As a PNG."""
    picture.save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}: {size // 1000} KB")
    if size > LIMIT:
        raise SystemExit(f"{path.name} has more than {LIMIT // 1000} KB")


def main() -> None:
    """Make all of them."""
    parser = argparse.ArgumentParser(description="Make the pictures of the start page.")
    parser.add_argument("--out", type=Path, default=TEMPLATES)
    out: Path = parser.parse_args().out
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        save(drawn(folder), out / "prompt_to_image.png")
        save(written(folder), out / "text_model_writes.png")
        save(painted_over(folder), out / "inpaint.png")
        save(varied(folder), out / "variations.png")


if __name__ == "__main__":
    main()
