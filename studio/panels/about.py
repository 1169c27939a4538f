"""What Diptych is, and who made what it starts with."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.dialog import Dialog


class AboutDialog(Dialog):
    """A few sentences."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("About Diptych"), parent)
        mark = QLabel()
        mark.setPixmap(current_theme().pixmap("diptych", 64, "text", self.devicePixelRatioF()))
        self.content.addWidget(mark, 0, Qt.AlignmentFlag.AlignLeft)
        try:
            number = version("diptych-studio")
        except PackageNotFoundError:
            number = tr("from source")
        for text, role in (
            (tr("Diptych {version}", version=number), "heading"),
            (tr("A desktop studio for local diffusion and language models, joined by a graph."), "body2"),
            (tr("Everything runs on this computer. Apache License 2.0."), "body2"),
            (tr("The starter models are credited in resources/starter/NOTICE.md."), "body2"),
        ):
            label = QLabel(text)
            label.setProperty("role", role)
            label.setWordWrap(True)
            label.setMinimumWidth(400)
            self.content.addWidget(label)
        self.add_close()
