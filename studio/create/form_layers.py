"""Create's lists of pictures that steer: references lead the look, control pictures the shapes."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from pipelines.engine.protocol import ModelInfo
from pipelines.models.families.abilities import IMAGE_GUIDED
from studio.create.form_page import FormPage
from studio.create.layer_edits import AS_IT_IS, LayerEdits
from studio.create.picture_row import PictureRow, ask_for_pictures
from studio.graph.picture_layers import CONTROLS, REFERENCES, LayerSort, PictureLayer
from studio.models.choices import ModelChoices
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.drop_section import DropSection
from studio.widgets.field_row import FieldRow
from studio.widgets.layouts import discard
from studio.widgets.param_editor import ParamEditor
from studio.widgets.param_editors import choice_title, editor_for

_LIMITS: Final = {REFERENCES.port: "layer:reference", CONTROLS.port: "layer:control"}
"""What ``ModelInfo.unavailable`` calls such layers."""
IMAGE_GUIDANCE: Final = "image_guidance_scale"
"""The param of nodes that draw with models that change a picture."""


def add_layers(page: FormPage, models: ModelChoices) -> None:
    """The sections of references and of control pictures, where the graph draws with a model."""
    if not page.binding.has("model"):
        return
    for sort in (REFERENCES, CONTROLS):
        if page.binding.registry.get(sort.layer) is not None:
            _add_section(page, models, sort)


def _add_section(page: FormPage, models: ModelChoices, sort: LayerSort) -> None:
    listed = PictureList(page, models, sort)
    title = tr("Control pictures") if sort is CONTROLS else tr("References")
    section = page.fold(DropSection(title, sort.port), [listed])
    section.header.setToolTip(
        tr("Pictures that lead the shapes: lines, edges, depth, a pose.")
        if sort is CONTROLS
        else tr("Pictures that lead the look: a style, a person, a thing.")
    )
    section.pictures_dropped.connect(listed.take)
    lacked = False

    def show() -> None:
        nonlocal lacked
        listed.refresh()
        if (lacks := listed.edits.lacks_picture()) and not lacked:
            section.set_expanded(True)  # once: whoever folds it again knows
        lacked = lacks
        count = len(listed.rows)
        section.header.setText(f"{title} ({count})" if count else title)

    page.on_update(show)


class PictureList(QWidget):
    """One row for each picture, and below them the button that adds one; pictures can be dropped on it."""

    def __init__(self, page: FormPage, models: ModelChoices, sort: LayerSort) -> None:
        super().__init__()
        self._page, self._models, self.sort = page, models, sort
        self.edits = LayerEdits(page.binding, models, page.values, sort)
        self.rows: dict[str, PictureRow] = {}
        self._items: dict[str, PictureLayer] = {}
        self.note = QLabel()
        self.note.setProperty("role", "hint")
        self.note.setWordWrap(True)
        self.add = QPushButton(tr("Add a control picture…") if sort is CONTROLS else tr("Add a reference…"))
        self.add.setObjectName(f"create.{sort.port}")
        self.add.setIcon(current_theme().icon("plus"))
        self.add.clicked.connect(self._browse)
        self.setFocusProxy(self.add)
        self._list = QVBoxLayout()
        self._list.setSpacing(14)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(self._list)
        layout.addWidget(self.add)
        self.guidance = self._guidance_row() if sort is REFERENCES else None
        if self.guidance is not None:
            layout.addWidget(self.guidance)
        layout.addWidget(self.note)

    def _guidance_row(self) -> FieldRow | None:
        """How closely models that have a guidance of its own for that keep to the picture."""
        kinds = (self._page.binding.registry.get(self._type(node)) for node in self.edits.draws)
        known = (kind.params_by_name.get(IMAGE_GUIDANCE) for kind in kinds if kind is not None)
        param = next((found for found in known if found is not None), None)
        if param is None:
            return None
        editor = editor_for(param)
        row = FieldRow(tr(param.title), editor, tr(param.description))
        editor.value_changed.connect(self._guide)
        row.reset_requested.connect(lambda: self._guide(param.default))
        return row

    def _type(self, node: str) -> str:
        return self._page.binding.graph.nodes[node].type

    def _guide(self, value: Any) -> None:
        for draw in self.edits.draws:
            self._page.binding.set_at(draw, IMAGE_GUIDANCE, value)

    def _show_guidance(self) -> None:
        row, model, draws = self.guidance, self._page.values.model, self.edits.draws
        if row is None:
            return
        row.setVisible(bool(draws) and model is not None and model.family in IMAGE_GUIDED)
        if draws and isinstance(row.field, ParamEditor):
            default = row.field.param.default
            value = self._page.binding.graph.nodes[draws[0]].params.get(IMAGE_GUIDANCE, default)
            row.field.set_value(value)
            row.set_resettable(value != default, tr("Back to {value}", value=default))

    # --- what it shows ---------------------------------------------------------------------------------

    @property
    def reason(self) -> str:
        """Why no picture can be added; empty if one can."""
        if self.edits.layers is None:
            return (
                tr("Control pictures are set in the graph; they are changed there.")
                if self.sort is CONTROLS
                else tr("References are set in the graph; they are changed there.")
            )
        return self._page.values.reason(_LIMITS[self.sort.port])

    @Slot()
    def refresh(self) -> None:
        """Show the document and the models as they are."""
        found = self.edits.layers
        items = found.items if found is not None else ()
        if [item.node for item in items] != list(self.rows):
            self._make(items)
        self._items = {item.node: item for item in items}
        for item in items:
            self._show(self.rows[item.node], item)
        self._show_guidance()
        reason = self.reason
        self.add.setEnabled(not reason)
        self.add.setToolTip(reason or tr("Choose files, or drop pictures here."))
        self.note.setText(reason or self._hint(items, found.before if found is not None else ""))
        self.note.setVisible(bool(self.note.text()))

    def _hint(self, items: tuple[PictureLayer, ...], before: str) -> str:
        if before:
            return tr("Those of {node} come first.", node=self.edits.node_title(before))
        if items:
            return ""
        if self.edits.lacks_picture() and self.sort is CONTROLS:
            return tr("This model draws along a control picture: give it one. Drop pictures here.")
        if self.edits.lacks_picture():
            return tr("This model changes a picture: give it one. Drop pictures here.")
        return tr("Drop pictures here, from the strip of results too.")

    def _make(self, items: tuple[PictureLayer, ...]) -> None:
        discard(self._list, self.rows.values())
        self.rows = {item.node: self._row(item.node) for item in items}
        for row in self.rows.values():
            self._list.addWidget(row)

    def _row(self, node: str) -> PictureRow:
        row = PictureRow(node, self._page.binding.registry, self.sort)
        edits = self.edits
        row.removed.connect(lambda: edits.remove(self._items[node]))
        row.switched.connect(lambda on: edits.switch(self._items[node], on))
        row.picture_chosen.connect(lambda file: edits.set_picture(self._items[node], file))
        row.mode_chosen.connect(partial(self._mode_chosen, node))
        row.kind_chosen.connect(lambda kind: edits.set_param(self._items[node], "control", kind))
        row.model_chosen.connect(lambda value: edits.set_model(self._items[node], value))
        row.param_changed.connect(lambda name, value: edits.set_param(self._items[node], name, value))
        return row

    def _mode_chosen(self, node: str, value: str) -> None:
        if self.sort is CONTROLS:
            self.edits.set_method(self._items[node], value)
        else:
            self.edits.set_param(self._items[node], "leads", value)

    def _show(self, row: PictureRow, item: PictureLayer) -> None:
        info = self._models.find(item.model_id, self.sort.kind) if item.model_id else None
        row.show_values(item, self.edits.title(item), self._fault(item, info))
        if self.sort is CONTROLS:
            self._show_methods(row, item)
        else:
            leads = self._page.binding.registry[REFERENCES.layer].params_by_name["leads"].choices
            everything = {"all": tr("Everything")}
            modes = [(value, everything.get(value) or choice_title(value)) for value in leads]
            row.show_choices(modes, str(item.params.get("leads", "all")), (), "")
            row.mode.setEnabled(self.edits.needs_model())
        self._show_models(row, item)

    def _show_methods(self, row: PictureRow, item: PictureLayer) -> None:
        modes = [(AS_IT_IS, tr("As it is")), *((key, choice_title(key)) for key in self.edits.methods())]
        method = str(item.method_params.get("method", "")) if item.method else AS_IT_IS
        if item.method and not method:
            method = next(iter(self.edits.methods()), AS_IT_IS)
        kinds = () if item.method else self.edits.kinds()
        row.show_choices(modes, method, kinds, str(item.params.get("control", "lineart")))
        row.mode.set_unavailable(self.edits.missing_methods())

    def _show_models(self, row: PictureRow, item: PictureLayer) -> None:
        if not self.edits.needs_model() and not item.model:
            row.show_models((), {}, "")
            return
        listed = self.edits.models()
        first = tr("First that is found") if item.model else tr("What the drawing has")
        choices = [("", first), *((info.id, info.title) for info in listed)]
        if item.model_id and self._models.find(item.model_id, self.sort.kind) is None:
            choices.append((item.model_id, item.model_id.replace("\\", "/").rsplit("/", 1)[-1]))
        known = self._models.find(item.model_id, self.sort.kind) if item.model_id else None
        row.show_models(choices, self._reasons(listed), known.id if known is not None else item.model_id)

    def _reasons(self, listed: list[ModelInfo]) -> dict[str, str]:
        other = tr("It was made for models of another family.")
        found = {info.id: tr(info.problem) or ("" if self.edits.fits(info) else other) for info in listed}
        return {id: reason for id, reason in found.items() if reason}

    def _fault(self, item: PictureLayer, info: ModelInfo | None) -> str:
        """Why a picture can't be used with the model."""
        if why := self._page.values.reason(_LIMITS[self.sort.port]):
            return why
        if info is not None and info.problem:
            return tr(info.problem)
        if info is not None and not self.edits.fits(info):
            return tr("What reads it was made for models of another family.")
        return ""

    # --- new ones --------------------------------------------------------------------------------------

    @Slot()
    def _browse(self) -> None:
        title = (
            tr("Pictures that lead the shapes")
            if self.sort is CONTROLS
            else tr("Pictures that lead the look")
        )
        self.take(ask_for_pictures(self, title))

    @Slot(object)
    def take(self, files: list[str]) -> None:
        """Add pictures, unless none can be added; the reason is on show then."""
        if files and not self.reason:
            self.edits.add(files)
