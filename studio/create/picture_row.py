"""One picture in Create's lists: a thumbnail, how it leads, what reads it, how strongly and when, and the way
out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from PySide6.QtCore import QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pipelines.errors import ErrorInfo
from pipelines.graph.registry import ParamSchema, Registry
from studio.background import in_background
from studio.graph.picture_layers import CONTROLS, LayerSort, PictureLayer
from studio.pictures.results import read_image
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.elided_label import ElidedLabel
from studio.widgets.number_field import NumberField
from studio.widgets.param_editor import tool_button
from studio.widgets.param_editors import choice_title, editor_for

THUMBNAIL: Final = 56
"""Side of the picture in a row, in px at the usual text size."""
PICTURES: Final = "(*.png *.jpg *.jpeg *.webp *.tif *.tiff *.bmp *.gif *.avif)"


def ask_for_pictures(parent: QWidget, title: str, *, several: bool = True) -> list[str]:
    """Ask for picture files; none if the user cancelled."""
    kinds = f"{tr('Pictures')} {PICTURES}"
    if several:
        return QFileDialog.getOpenFileNames(parent, title, "", kinds)[0]
    return [path] if (path := QFileDialog.getOpenFileName(parent, title, "", kinds)[0]) else []


class PictureButton(QToolButton):
    """The thumbnail; a picture dropped on it is to take its place."""

    picture_dropped = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def take_pictures(self, files: list[str], at: QPoint, *, own: bool) -> None:
        """Take the first of them."""
        if self.isEnabled():
            self.picture_dropped.emit(files[0])


class PictureRow(QWidget):
    """The signals carry what the user wants; the owner changes the document and calls :meth:`show_values`."""

    removed = Signal()
    switched = Signal(bool)
    picture_chosen = Signal(str)
    mode_chosen = Signal(object)
    """The method of a control picture, or what a reference leads."""
    kind_chosen = Signal(object)
    model_chosen = Signal(object)
    param_changed = Signal(str, object)

    def __init__(self, node: str, registry: Registry, sort: LayerSort) -> None:
        super().__init__()
        self.node, self._sort = node, sort
        self._shown = ""
        params = registry[sort.layer].params_by_name
        self.switch = QCheckBox()
        self.switch.clicked.connect(self.switched)
        self.title = ElidedLabel()
        self.title.setProperty("role", "label")
        self.remove = tool_button("close", "")
        self.remove.clicked.connect(self.removed)
        self.picture = PictureButton()
        self.picture.clicked.connect(self._browse)
        self.picture.picture_dropped.connect(self.picture_chosen)
        self.mode, self.kind, self.model = ChoiceField(), ChoiceField(), ChoiceField()
        self.mode.value_changed.connect(self.mode_chosen)
        self.kind.value_changed.connect(self.kind_chosen)
        self.model.value_changed.connect(self.model_chosen)
        self.weight = editor_for(params["weight"])
        self.weight.value_changed.connect(lambda value: self.param_changed.emit("weight", value))
        self.start, self.end = (self._moment(params[name]) for name in ("start", "end"))
        self.message = QLabel()
        self.message.setProperty("role", "hint")
        self.message.setWordWrap(True)
        self.icon = QLabel()
        self.icon.setPixmap(current_theme().pixmap("warning", 14, "warn", self.devicePixelRatioF()))
        self._lay_out()
        self._show_icon(QImage())

    def _moment(self, param: ParamSchema) -> NumberField:
        field = NumberField(param.default, whole=False, minimum=0, maximum=1, step=param.step or 0.05)
        field.setToolTip(tr(param.description))
        field.value_changed.connect(lambda value: self.param_changed.emit(param.name, value))
        return field

    @staticmethod
    def _label(text: str, field: QWidget) -> QLabel:
        label = QLabel(text)
        label.setProperty("role", "hint")
        label.setBuddy(field)
        return label

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(self.switch)
        head.addWidget(self.title, 1)
        head.addWidget(self.remove)
        fields = QVBoxLayout()
        fields.setSpacing(4)
        for field in (self.mode, self.kind, self.model):
            fields.addWidget(field)
        fields.addStretch(1)
        body = QHBoxLayout()
        body.setSpacing(8)
        body.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        body.addLayout(fields, 1)
        when = QHBoxLayout()
        when.setSpacing(6)
        when.addWidget(self.start, 1)
        when.addWidget(self._label(tr("to"), self.end))
        when.addWidget(self.end, 1)
        numbers = QGridLayout()
        numbers.setHorizontalSpacing(8)
        numbers.setVerticalSpacing(4)
        numbers.addWidget(self._label(tr("Weight"), self.weight), 0, 0)
        numbers.addWidget(self.weight, 0, 1)
        numbers.addWidget(self._label(tr("Steps from"), self.start), 1, 0)
        numbers.addLayout(when, 1, 1)
        numbers.setColumnStretch(1, 1)
        foot = QHBoxLayout()
        foot.setSpacing(5)
        foot.addWidget(self.icon, 0, Qt.AlignmentFlag.AlignTop)
        foot.addWidget(self.message, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addLayout(body)
        layout.addLayout(numbers)
        layout.addLayout(foot)

    # --- what it shows ---------------------------------------------------------------------------------

    def show_values(self, item: PictureLayer, title: str, fault: str) -> None:
        """Show a layer as the document has it; ``fault``: why it can't be used."""
        self.title.setText(title)
        self.title.setToolTip(title)
        self.switch.setChecked(item.on)
        self._name(title)
        for name, field in (("weight", self.weight), ("start", self.start), ("end", self.end)):
            field.setEnabled(item.on and name not in item.linked)
            value = item.params.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                field.set_value(value)
            elif name not in item.params:
                field.set_value(1.0 if name != "start" else 0.0)
        own = bool(item.load)
        self.picture.setEnabled(own)
        note = "" if own or not item.source else tr("Another node of the graph makes this picture.")
        self.message.setText(fault or note)
        self.message.setVisible(bool(self.message.text()))
        self.icon.setVisible(bool(fault))
        if item.path != self._shown:
            self._shown = item.path
            self._read(item.path)

    def _name(self, title: str) -> None:
        """Names for those who hear the form."""
        tips: tuple[tuple[QWidget, str], ...] = (
            (self.switch, tr("Use {title}", title=title)),
            (self.remove, tr("Remove {title}", title=title)),
            (self.picture, tr("Choose another picture for {title}", title=title)),
        )
        for widget, words in tips:
            widget.setToolTip(words)
            widget.setAccessibleName(words)
        leads = tr("How {title} is made ready") if self._sort is CONTROLS else tr("What {title} leads")
        names: tuple[tuple[QWidget, str], ...] = (
            (self.mode, leads), (self.kind, tr("What {title} shows")), (self.model, tr("What reads {title}")),
            (self.weight, tr("Weight of {title}")),
            (self.start, tr("Share of the steps before {title} begins")),
            (self.end, tr("Share of the steps after which {title} ends")),
        )  # fmt: skip
        for widget, words in names:
            widget.setAccessibleName(words.replace("{title}", title))

    def show_choices(
        self,
        modes: Sequence[tuple[str, str]],
        mode: str,
        kinds: Sequence[str],
        kind: str,
    ) -> None:
        """Methods, or what a reference may lead; and ``kinds`` of control pictures, none to hide them."""
        if list(modes) != self.mode.choices():
            self.mode.set_choices(modes)
        self.mode.set_value(mode)
        if kinds and list(kinds) != self.kind.values():
            self.kind.set_choices([(value, choice_title(value)) for value in kinds])
        self.kind.setVisible(bool(kinds))
        if kinds:
            self.kind.set_value(kind)

    def show_models(self, choices: Sequence[tuple[str, str]], reasons: Mapping[str, str], value: str) -> None:
        """What may read the picture; no choices: it needs nothing."""
        if list(choices) != self.model.choices():
            self.model.set_choices(choices)
        self.model.set_unavailable(reasons)
        self.model.setVisible(bool(choices))
        if choices:
            self.model.set_value(value)

    # --- the picture -----------------------------------------------------------------------------------

    def _read(self, path: str) -> None:
        self._show_icon(QImage())
        side = round(2 * current_theme().px(THUMBNAIL) * self.devicePixelRatioF())
        if path:
            in_background(
                self,
                lambda: read_image(path, side),
                lambda image: self._arrived(path, image),
                lambda error: self._missing(path, error),
            )

    def _arrived(self, path: str, image: QImage) -> None:
        if path == self._shown:
            self._show_icon(image)

    def _missing(self, path: str, error: ErrorInfo) -> None:
        if path == self._shown:
            self.message.setText(error.text(tr))
            self.message.show()
            self.icon.show()

    def _show_icon(self, image: QImage) -> None:
        side, ratio = current_theme().px(THUMBNAIL), self.devicePixelRatioF()
        self.picture.setFixedSize(side, side)
        self.picture.setIconSize(QSize(side - 8, side - 8) if not image.isNull() else QSize(20, 20))
        if image.isNull():
            self.picture.setIcon(current_theme().icon("image", "text2"))
            return
        room = round((side - 8) * ratio)
        scaled = image.scaled(
            room, room, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        pixmap = QPixmap.fromImage(scaled)
        pixmap.setDevicePixelRatio(ratio)
        self.picture.setIcon(QIcon(pixmap))

    @Slot()
    def _browse(self) -> None:
        found = ask_for_pictures(self, tr("Choose another picture"), several=False)
        if found:
            self.picture_chosen.emit(found[0])
