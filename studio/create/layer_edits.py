"""What Create's lists of pictures do to the document: references and control pictures, one undo step each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from pipelines.engine.protocol import ModelInfo
from pipelines.graph.document import Graph
from pipelines.models.families.abilities import needs_control, needs_reference
from pipelines.models.families.controls import follows_controls, reads_references
from studio.create.binding import Binding
from studio.create.fitting import fits, ready_for, shown_by
from studio.create.model_values import ModelValues
from studio.graph import picture_layers as pictures
from studio.graph.edits import input_port
from studio.graph.model_changes import chain, is_source
from studio.graph.picture_layers import CONTROLS, LayerList, LayerSort, NewLayer, PictureLayer
from studio.graph.reference_size import with_size_of_reference
from studio.models.choices import ModelChoices
from studio.translate import tr

BY_MODEL: Final = {"depth": "depth", "normals": "depth", "pose": "pose"}
"""Methods that need a model, and its kind."""
AS_IT_IS: Final = ""
"""The method of a picture that is given to the model without being changed."""


class LayerEdits:
    """Reads and writes one of the two lists."""

    def __init__(self, binding: Binding, models: ModelChoices, values: ModelValues, sort: LayerSort) -> None:
        self._binding, self._models, self._values, self.sort = binding, models, values, sort
        self._read: tuple[Graph, tuple[str, ...], LayerList | None] | None = None

    @property
    def draws(self) -> tuple[str, ...]:
        """The nodes that the layers go into."""
        return self._found()[1]

    @property
    def layers(self) -> LayerList | None:
        """The layers; None where they are no list."""
        return self._found()[2]

    def _found(self) -> tuple[Graph, tuple[str, ...], LayerList | None]:
        """Those of the document, looked for once in each graph: a form asks with each letter typed."""
        graph, registry = self._binding.graph, self._binding.registry
        if self._read is None or self._read[0] is not graph:
            model = self._binding.node_of("model")
            draws: tuple[str, ...] = ()
            if is_source(graph, registry, model) and chain(graph, model) is not None:
                draws = pictures.drawing_nodes(graph, registry, model, self.sort)
            self._read = graph, draws, pictures.layers(graph, draws, self.sort)
        return self._read

    def title(self, item: PictureLayer) -> str:
        """What a picture is called: by its file, or by the node that makes it."""
        if item.load:
            return PurePath(item.path.replace("\\", "/")).name or tr("No picture")
        return self.node_title(item.source) if item.source else tr("No picture")

    def node_title(self, node: str) -> str:
        """What a node of the graph is called."""
        from studio.graph.edits import title_of

        return tr(title_of(self._binding.graph, self._binding.registry, node))

    # --- models ----------------------------------------------------------------------------------------

    def models(self) -> list[ModelInfo]:
        """Those that could read such layers, of whatever family."""
        return self._models.of_kind(self.sort.kind)

    def fitting(self) -> list[ModelInfo]:
        """Those of the chosen model's family that can be used."""
        return [info for info in self.models() if not info.problem and self.fits(info)]

    def fits(self, info: ModelInfo) -> bool:
        """Whether a model that reads layers goes with the one that draws."""
        model = self._values.model
        return model is None or fits(info, model)

    def needs_model(self) -> bool:
        """Whether something must read the layers for the model that draws."""
        model = self._values.model
        if self.sort is CONTROLS:
            return model is None or not follows_controls(model.family)
        return model is None or not reads_references(model.family, model.variant)

    def lacks_picture(self) -> bool:
        """Whether the model draws nothing as it is: it changes or follows a picture, and gets none."""
        model, found = self._values.model, self.layers
        if model is None or found is None or found.items or found.before:
            return False
        graph, registry = self._binding.graph, self._binding.registry
        given = any(input_port(graph, registry, draw, "image") is not None for draw in self.draws)
        if self.sort is CONTROLS:
            return needs_control(model.family, given)
        return not given and needs_reference(model.family, model.variant)

    # --- edits -----------------------------------------------------------------------------------------

    def add(self, files: Sequence[str]) -> None:
        """More pictures at the end of the list, as one step; a model that changes a picture draws in the
        shape of the first, unless another was chosen."""
        graph, draws = self._binding.graph, self.draws
        if self.sort is not CONTROLS and self.lacks_picture() and not self._values.has_own_size():
            graph = self._sized(graph, True)
        for file in files:
            graph, _ = pictures.with_layer(graph, self._binding.registry, draws, self.sort, self._new(file))
        one = PurePath(files[0].replace("\\", "/")).name if files else ""
        words = {
            True: tr("Add the control picture {name}", name=one),
            False: tr("Add the reference {name}", name=one),
        }
        if files:
            self._binding.replace(graph, words[self.sort is CONTROLS])

    def _sized(self, graph: Graph, follow: bool) -> Graph:
        """With a drawing that takes its size from the first reference, or from the form."""
        node = self._binding.node_of("width")
        if node not in self.draws:
            return graph
        return with_size_of_reference(graph, self._binding.registry, node, follow)

    def _new(self, file: str) -> NewLayer:
        fitting = self.fitting() if self.needs_model() else []
        model = self._model_params(fitting[0].id if fitting else "") if self.needs_model() else None
        if self.sort is not CONTROLS:
            return NewLayer(file, model=model)
        methods = [name for name in self.methods() if name not in self.missing_methods()]
        reader = (fitting[0] if fitting else None) if self.needs_model() else self._values.model
        method, kind = ready_for(reader, methods)
        params = {"control": self._known_kind(kind)}
        return NewLayer(file, params, {"method": method} if method else None, model)

    def _known_kind(self, kind: str) -> str:
        return kind if kind in self.kinds() else "other"

    def missing_methods(self) -> dict[str, str]:
        """Methods that need a model which isn't there, with the reason."""
        why = {
            "depth": tr("No model that finds depth was found; put one into the folder for models."),
            "pose": tr("No model that finds poses was found; put one into the folder for models."),
        }
        for kind in tuple(why):
            if any(not info.problem for info in self._models.of_kind(kind)):
                del why[kind]
        return {name: why[kind] for name, kind in BY_MODEL.items() if kind in why and name in self.methods()}

    def _model_params(self, value: str) -> dict[str, Any] | None:
        return {"model": value} if self._binding.registry.get(self.sort.model_type) is not None else None

    def methods(self) -> tuple[str, ...]:
        """How a control picture can be derived."""
        kind = self._binding.registry.get(pictures.METHOD)
        return tuple(kind.params_by_name["method"].choices) if kind is not None else ()

    def kinds(self) -> tuple[str, ...]:
        """What a control picture can show."""
        kind = self._binding.registry.get(CONTROLS.layer)
        return tuple(kind.params_by_name["control"].choices) if kind is not None else ()

    def remove(self, item: PictureLayer) -> None:
        """Without this one; with the last reference, the size is the form's again."""
        binding, found = self._binding, self.layers
        if item.node in binding.graph.nodes:
            graph = pictures.without_layer(binding.graph, binding.registry, self.sort, item.node)
            if self.sort is not CONTROLS and found is not None and len(found.items) == 1 and not found.before:
                graph = self._sized(graph, False)
            binding.replace(graph, tr("Remove the picture {name}", name=self.title(item)))

    def switch(self, item: PictureLayer, on: bool) -> None:
        """Use this one, or leave it in the list without effect."""
        record = self._binding.graph.nodes.get(item.node)
        if record is not None:
            name = self.title(item)
            words = (
                tr("Use the picture {name}", name=name)
                if on
                else tr("Leave out the picture {name}", name=name)
            )
            changed = record.with_mode("active" if on else "bypassed")
            self._binding.replace(self._binding.graph.with_node(item.node, changed), words)

    def set_param(self, item: PictureLayer, name: str, value: Any) -> None:
        """A param of the layer; what is dragged in one go is one step."""
        if item.node in self._binding.graph.nodes:
            self._binding.set_at(item.node, name, value)

    def set_picture(self, item: PictureLayer, file: str) -> None:
        """Another picture in its place."""
        binding = self._binding
        if item.node in binding.graph.nodes:
            graph = pictures.with_picture(binding.graph, binding.registry, item, file)
            name = PurePath(file.replace("\\", "/")).name
            binding.replace(graph, tr("Choose the picture {name}", name=name))

    def set_method(self, item: PictureLayer, method: str) -> None:
        """How the control picture is derived, with what it shows then; :data:`AS_IT_IS`: not at all."""
        binding = self._binding
        if item.node not in binding.graph.nodes:
            return
        params: Mapping[str, Any] | None = {"method": method} if method else None
        graph = pictures.with_method(binding.graph, binding.registry, item.node, params)
        if method and "control" not in item.linked:
            graph = graph.with_param(item.node, "control", self._known_kind(shown_by(method)))
        binding.replace(graph, tr("Change how a control picture is made"))

    def set_model(self, item: PictureLayer, value: str) -> None:
        """What reads this layer."""
        binding = self._binding
        params = self._model_params(value)
        if item.node in binding.graph.nodes and params is not None:
            graph = pictures.with_layer_model(binding.graph, binding.registry, item.node, self.sort, params)
            info = self._models.find(value, self.sort.kind) if value else None
            title = info.title if info is not None else value or tr("First that is found")
            binding.replace(graph, tr("Choose the model {title}", title=title))
