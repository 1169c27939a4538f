"""The question before a save would replace what another program wrote."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from pipelines.graph.delta import Counts
from studio.translate import tr
from studio.widgets.dialog import Dialog


def counts_text(counts: Counts) -> str:
    """``2 nodes added, 1 removed, 3 changed``."""
    parts = [
        (counts.added, "1 node added", "{count} nodes added"),
        (counts.removed, "1 node removed", "{count} nodes removed"),
        (counts.changed, "1 node changed", "{count} nodes changed"),
    ]
    words = [tr(one) if count == 1 else tr(many, count=count) for count, one, many in parts if count]
    if not words:
        return tr("the same nodes") if counts.elsewhere else tr("no difference")
    return ", ".join(words)


class FileChangedDialog(Dialog):
    """:attr:`choice` is ``save``, ``save_as``, ``reload`` or empty, which is the default."""

    def __init__(self, name: str, counts: Counts | None, parent: QWidget | None = None) -> None:
        super().__init__(tr("{name} was changed by another program", name=name), parent)
        self.choice = ""
        if counts is None:
            what = tr("What it holds now is not a graph. A copy of it is kept if you save.")
        else:
            what = tr(
                "Compared with yours, the file has: {counts}. Whichever you choose, the other one is kept "
                "under Earlier versions.",
                counts=counts_text(counts),
            )
        words = QLabel(what)
        words.setWordWrap(True)
        words.setMinimumWidth(420)
        self.content.addWidget(words)
        self.save_button = self._button(tr("Save anyway"), "save")
        self.reload_button = self._button(tr("Open what is in the file"), "reload")
        self.reload_button.setVisible(counts is not None)
        self.save_as_button = self._button(tr("Save elsewhere…"), "save_as")
        cancel = self._button(tr("Cancel"), "")
        cancel.setDefault(True)
        cancel.setFocus()

    def _button(self, text: str, choice: str) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(lambda: self._choose(choice))
        self.buttons.addWidget(button)
        return button

    def _choose(self, choice: str) -> None:
        self.choice = choice
        self.done(Dialog.DialogCode.Accepted if choice else Dialog.DialogCode.Rejected)
