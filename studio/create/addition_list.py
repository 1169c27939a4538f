"""What Create's lists of LoRAs, embeddings and text encoders have in common: rows, and below them the field
that adds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.elided_label import ElidedLabel
from studio.widgets.layouts import discard
from studio.widgets.param_editor import tool_button
from studio.widgets.param_editors import ask_for_model

Row = TypeVar("Row", bound=QWidget)


class NamedRow(QWidget):
    """A file that is used: its name, a line of words below, and the way out (``remove``)."""

    def __init__(self, remove: Callable[[], object]) -> None:
        super().__init__()
        self.title = ElidedLabel()
        self.title.setProperty("role", "label")
        self.remove = tool_button("close", "")
        self.remove.clicked.connect(lambda: remove())
        self.message = QLabel()
        self.message.setProperty("role", "hint")
        self.message.setWordWrap(True)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(self.title, 1)
        head.addWidget(self.remove)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(3)
        self.column.addLayout(head)
        self.column.addWidget(self.message)

    def show_name(self, title: str, message: str) -> None:
        """What it is called, and what is said below; empty for nothing."""
        self.title.setText(title)
        words = tr("Remove {title}", title=title)
        self.remove.setToolTip(words)
        self.remove.setAccessibleName(words)
        self.message.setText(message)
        self.message.setVisible(bool(message))


class AdditionList(QWidget, Generic[Row]):
    """One row for each file that is used. The field offers those of the catalogue (``words``: what it says
    while none is chosen), the button beside it asks for one of the user's own."""

    def __init__(self, name: str, words: str, own: str) -> None:
        super().__init__()
        self._words = words
        self.rows: dict[str, Row] = {}
        """By the node that each stands for."""
        self.note = QLabel()
        self.note.setProperty("role", "hint")
        self.note.setWordWrap(True)
        self.add = ChoiceField()
        self.add.setObjectName(name)
        self.add.setAccessibleName(words.rstrip("…"))
        self.add.value_changed.connect(self._add)
        self.own = tool_button("folder", own)
        self.own.clicked.connect(self._add_own)
        self.setFocusProxy(self.add)
        self._list = QVBoxLayout()
        self._list.setSpacing(10)
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self.add, 1)
        line.addWidget(self.own)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(8)
        self.column.addLayout(self._list)
        self.column.addLayout(line)
        self.column.addWidget(self.note)

    def add_file(self, value: str) -> None:
        """Use one more: an id of the catalogue, or a path."""
        raise NotImplementedError

    def name_above(self, words: str) -> None:
        """Say above the list what is in it, where a section has several."""
        label = QLabel(words)
        label.setProperty("role", "label")
        self.column.insertWidget(0, label)

    def show_rows(self, nodes: Sequence[str], make: Callable[[str], Row]) -> None:
        """Have a row for each of these nodes, in their order."""
        if list(nodes) == list(self.rows):
            return
        discard(self._list, self.rows.values())
        self.rows = {node: make(node) for node in nodes}
        for row in self.rows.values():
            self._list.addWidget(row)

    def offer(
        self,
        files: Iterable[tuple[str, str]],
        reasons: Mapping[str, str] | None = None,
        tips: Mapping[str, str] | None = None,
    ) -> None:
        """What can be added: id and title; ``reasons``: why one can't, ``tips``: what is said of one."""
        choices = [("", self._words), *files]
        if choices != self.add.choices():
            self.add.set_choices(choices)
        self.add.set_unavailable(dict(reasons or {}), dict(tips or {}))
        self.add.set_value("")

    def say(self, text: str) -> None:
        """A few words below; empty for none."""
        self.note.setText(text)
        self.note.setVisible(bool(text))

    @Slot(object)
    def _add(self, value: object) -> None:
        if value:
            self.add_file(str(value))
        self.add.set_value("")

    @Slot()
    def _add_own(self) -> None:
        if path := ask_for_model(self):
            self.add_file(path)
