"""Settings of downloads: whether the network is used at all, and the access token, which the keyring
keeps."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from pipelines.errors import ErrorInfo
from studio.background import in_background
from studio.settings import SettingsStore
from studio.translate import tr
from studio.widgets.field_row import FieldRow

_ORIGINS = {
    "": "Not set: only models without terms can be downloaded.",
    "environment": "Set, by a variable of the environment.",
    "keyring": "Set: it is in the keyring of your system.",
    "file": "Set, by the tools of Hugging Face.",
}


class NetworkSettings(QWidget):
    """The token never comes out of the keyring into the window: only whether there is one is shown."""

    def __init__(self, settings: SettingsStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self.offline = QCheckBox(tr("Stay offline: download nothing"))
        self.offline.setChecked(settings.values.stay_offline)
        self.offline.clicked.connect(lambda on: self._settings.change(stay_offline=on))
        self.token = QLineEdit()
        self.token.setEchoMode(QLineEdit.EchoMode.Password)
        self.token.setPlaceholderText(tr("hf_…"))
        self.token.setAccessibleName(tr("Access token of Hugging Face"))
        self.keep, self.forget = QPushButton(tr("Keep it")), QPushButton(tr("Forget it"))
        for button in (self.keep, self.forget):
            button.setAutoDefault(False)
            button.setEnabled(False)
        self.state = QLabel(tr("Looking into the keyring…"))
        self.state.setProperty("role", "hint")
        self.state.setWordWrap(True)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.token, 1)
        line.addWidget(self.keep)
        line.addWidget(self.forget)
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(line)
        column.addWidget(self.state)
        sentence = tr("For models whose terms you accepted on their page. Your system's keyring keeps it.")
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(12)
        rows.addWidget(FieldRow(tr("Access token of Hugging Face"), box, sentence))
        rows.addWidget(self.offline)
        self.token.textChanged.connect(self._typed)
        self.token.returnPressed.connect(self._keep)
        self.keep.clicked.connect(self._keep)
        self.forget.clicked.connect(self._forget)
        self._look()

    @Slot(str)
    def _typed(self, text: str) -> None:
        self.keep.setEnabled(bool(text.strip()))

    @Slot()
    def _keep(self) -> None:
        if self.token.text().strip():
            self._write(self.token.text())

    @Slot()
    def _forget(self) -> None:
        self._write("")

    def _write(self, token: str) -> None:
        """Into the keyring, in a worker: it may ask the user to unlock it."""

        def write() -> None:
            from pipelines.models.download.tokens import keep_token

            keep_token(token)

        self.keep.setEnabled(False)
        self.forget.setEnabled(False)
        in_background(self, write, lambda _: self._written(), self._fail)

    def _written(self) -> None:
        self.token.clear()
        self._look()

    def _fail(self, error: ErrorInfo) -> None:
        self.keep.setEnabled(bool(self.token.text().strip()))
        self.state.setText(error.text(tr))

    def _look(self) -> None:
        def origin() -> str:
            from pipelines.models.download.tokens import token_origin

            return token_origin()

        in_background(self, origin, self._show, self._fail)

    def _show(self, origin: str) -> None:
        self.state.setText(tr(_ORIGINS[origin]))
        self.forget.setEnabled(origin == "keyring")
