"""What to do when another studio has this profile."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton

from pipelines.files import sanitise_name
from studio.translate import tr
from studio.widgets.dialog import Dialog


class SecondStudio(Dialog):
    """Quit, go on without keeping anything, or take another profile: :attr:`profile` is its name then."""

    def __init__(self, owner: str, profiles: Sequence[str] = (), current: str = "") -> None:
        super().__init__(tr("Diptych is already open"))
        self.profile = ""
        self._current = current
        text = QLabel(
            tr(
                "Another window of Diptych ({owner}) uses this profile. Two at once would overwrite each "
                "other's session. You can work here too; pictures are saved, but the session is not kept.",
                owner=owner,
            )
        )
        text.setWordWrap(True)
        text.setMinimumWidth(500)
        label = QLabel(tr("Profile"))
        self.name = QComboBox()
        self.name.setEditable(True)
        self.name.addItems([name for name in profiles if name != current])
        self.name.setCurrentIndex(-1)
        self.name.setToolTip(tr("Each profile has its own session, settings and queue; models are shared."))
        line = self.name.lineEdit()
        if line is not None:
            line.setPlaceholderText(tr("Choose one, or name a new one"))
            line.setMaxLength(60)
        label.setBuddy(self.name)
        self.other = QPushButton(tr("Open with this profile"))
        self.other.setAutoDefault(False)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.name, 1)
        row.addWidget(self.other)
        self.content.addWidget(text)
        self.content.addLayout(row)
        go_on, leave = QPushButton(tr("Open without keeping the session")), QPushButton(tr("Quit"))
        leave.setDefault(True)
        go_on.setAutoDefault(False)
        go_on.clicked.connect(self.accept)
        leave.clicked.connect(self.reject)
        self.other.clicked.connect(self._take_other)
        self.name.currentTextChanged.connect(self._refresh)
        self.buttons.addWidget(go_on)
        self.buttons.addWidget(leave)
        self._refresh()
        leave.setFocus()

    @Slot()
    def _refresh(self) -> None:
        name = self.name.currentText().strip()
        self.other.setEnabled(bool(name) and sanitise_name(name) != self._current)

    @Slot()
    def _take_other(self) -> None:
        self.profile = sanitise_name(self.name.currentText().strip())
        self.accept()
