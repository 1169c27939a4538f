"""The real window as a child that edits all the time: ``python -m tests.helpers.fault_edits``.

It says each edit with its moment, as one JSON line, and ends only by being killed.
"""

from __future__ import annotations

import json
import time

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from studio.app import application, main
from studio.window.main_window import MainWindow
from tests.helpers.studio_fakes import template


class Editor:
    """Waits for the window, then makes an edit each 40 ms."""

    def __init__(self) -> None:
        self.number = 0
        self.timer = QTimer()
        self.timer.setInterval(40)
        self.timer.timeout.connect(self.edit)
        self.timer.start()

    def edit(self) -> None:
        windows = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, MainWindow)]
        if not windows or not windows[0].isVisible():
            return
        document = windows[0].parts.document
        if self.number == 0:
            document.new(template())
        self.number += 1
        document.set_param("draw", "steps", self.number)
        print(json.dumps({"number": self.number, "time": time.time()}), flush=True)


if __name__ == "__main__":
    application()
    editor = Editor()
    main([])
