"""Make the README's screenshots: the real window, the real engine, the starter models.

    python packaging/screenshots.py [--out docs/screenshots] [--keyboard]

Runs offscreen, in a folder of its own, so that nobody's session is touched. Each picture stays under 300 KB.
``--keyboard`` prints the keyboard table of the README instead.
"""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PySide6.QtCore import QPointF

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 300_000
PATIENCE = 240.0
SIZE = (1280, 800)
STROKE = ((0.2, 0.16), (0.25, 0.2), (0.3, 0.24), (0.24, 0.3), (0.18, 0.24), (0.26, 0.18))
"""A mask for the screenshot, in parts of the picture's side."""
PROMPTS = (
    ("a small house at night", 8),
    ("a fox in the snow, 3d style", 5),
    ("a green frog on green grass", 21),
    ("a red apple on a blue background, flat style", 11),
)


def prepare() -> None:
    """Set what must be set before Qt and our modules are imported."""
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    home = tempfile.mkdtemp(prefix="diptych-screenshots-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["DIPTYCH_HOME"] = home


class Photographer:
    """Drives a studio and takes pictures of its window."""

    def __init__(self, out: Path, theme: str) -> None:
        from studio.app import StudioApp, make_parts
        from studio.appearance import apply_theme
        from studio.settings import SettingsStore

        self.out = out
        self.settings = SettingsStore(None)
        self.settings.change(theme=theme, reduced_motion=True)
        parts = make_parts(self.settings, read_only=True)
        apply_theme(parts)
        self.studio = StudioApp(parts, None)
        self.window = self.studio.window
        self.window.resize(*SIZE)
        self.window.show()
        self.window.prepare_graph()

    def wait(self, until: Callable[[], bool]) -> None:
        """Let the window live until something is so; :class:`TimeoutError` if it never is."""
        from PySide6.QtCore import QThreadPool
        from PySide6.QtWidgets import QApplication

        end = time.monotonic() + PATIENCE
        while not until():
            if time.monotonic() > end:
                raise TimeoutError("the window did not get there")
            QApplication.processEvents()
            time.sleep(0.005)
        QThreadPool.globalInstance().waitForDone()
        for _ in range(10):
            QApplication.processEvents()

    def settle(self) -> None:
        """Let everything be drawn."""
        end = time.monotonic() + 0.4
        self.wait(lambda: time.monotonic() > end)

    def shoot(self, name: str) -> Path:
        """Save the window as it is."""
        self.settle()
        path = self.out / f"{name}.png"
        image = self.window.grab().toImage()
        image.save(str(path), quality=0)
        if path.stat().st_size > LIMIT:
            shrink(path)
        print(f"{path.name}: {path.stat().st_size // 1000} kB, {image.width()} × {image.height()}")
        return path

    def draw(self, prompt: str, seed: int) -> None:
        """One picture, to the end."""
        binding, tracker = self.studio.parts.binding, self.studio.parts.tracker
        binding.set_many({"prompt": prompt, "seed": seed, "steps": 16}, "Screenshot")
        self.window.actions_.generate()
        self.wait(lambda: tracker.current is None)

    def draw_halfway(self, prompt: str, seed: int, step: int) -> None:
        """Start a picture and return at a step."""
        binding, tracker = self.studio.parts.binding, self.studio.parts.tracker
        binding.set_many({"prompt": prompt, "seed": seed, "steps": 60}, "Screenshot")
        self.window.actions_.generate()

        def there() -> bool:
            run = tracker.current
            return run is None or (run.progress is not None and run.progress.step >= step)

        self.wait(there)

    def paint_over(self, prompt: str, seed: int) -> None:
        """The picture on show, on the canvas: a mask brushed with the mouse, and results for it."""
        from PySide6.QtCore import QPointF

        window = self.window
        window.canvas_actions.into.take_result()
        page = window.canvas_page
        self.wait(lambda: not page.is_empty)
        page.form.crop.setChecked(True)
        side = page.paint.stack.width
        page.choose_task("add")
        drag(page.canvas.view, [QPointF(x * side, y * side) for x, y in STROKE])
        page.binding.set_many({"prompt": prompt, "seed": seed, "batch": 4}, "Screenshot")
        window.actions_.generate()
        self.wait(lambda: bool(page.runs.candidates.items))

    def close(self) -> None:
        """End the window and its engine."""
        self.window.close()
        self.studio.close()


def drag(view: Any, points: list[QPointF]) -> None:
    """Brush along points of the picture with the mouse."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    places = [view.to_view(point).toPoint() for point in points]
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=places[0])
    for place in places[1:]:
        QTest.mouseMove(view, place)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=places[-1])


def shrink(path: Path) -> None:
    """Fewer colours, so that a page loads quickly."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def take(out: Path, theme: str) -> None:
    """All pictures of one theme."""
    out.mkdir(parents=True, exist_ok=True)
    photographer = Photographer(out, theme)
    try:
        photographer.shoot(f"start-{theme}")
        photographer.window.actions_.open_template("prompt_to_image")
        photographer.window.banner.hide()
        for prompt, seed in PROMPTS:
            photographer.draw(prompt, seed)
        photographer.shoot(f"create-{theme}")
        photographer.draw_halfway("a yellow fish on the sea, flat style", 3, 20)
        photographer.shoot(f"forming-{theme}")
        photographer.window.actions_.cancel()
        photographer.wait(lambda: photographer.studio.parts.tracker.current is None)
        photographer.draw(PROMPTS[0][0], 12)
        photographer.window.show_workspace("graph")
        photographer.window.graph.show_node("draw")
        photographer.shoot(f"graph-{theme}")
        photographer.paint_over("a red balloon", 4)
        photographer.shoot(f"canvas-{theme}")
    finally:
        photographer.close()


def keyboard() -> str:
    """The keyboard table, the canvas's keys included."""
    from studio.commands.table import keyboard_table

    photographer = Photographer(Path(), "dark")
    try:
        photographer.window.show_workspace("graph")
        return keyboard_table(photographer.window.graph.keyboard())
    finally:
        photographer.close()


def main() -> int:
    """Parse the arguments and do it."""
    parser = argparse.ArgumentParser(description="Make the README's screenshots.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--keyboard", action="store_true", help="print the keyboard table instead")
    options = parser.parse_args()
    prepare()
    from PySide6.QtWidgets import QApplication

    app = QApplication(sys.argv[:1])
    app.setQuitOnLastWindowClosed(False)
    if options.keyboard:
        print(keyboard(), end="")
    else:
        for theme in ("dark", "light"):
            take(options.out, theme)
    return 0


if __name__ == "__main__":
    sys.exit(main())
