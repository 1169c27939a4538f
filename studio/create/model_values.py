"""What the chosen model and the node's schema say about the arguments of Create. Nothing here writes."""

from __future__ import annotations

from typing import Any

from pipelines.diffusion.samplers.table import SAMPLERS, SamplerSpec, Schedule, schedule_note
from pipelines.diffusion.sizes.any_size import SizePlan, plan_size
from pipelines.diffusion.sizes.size_limits import limits_for
from pipelines.engine.protocol import ModelInfo
from studio.create.binding import Binding
from studio.graph.reference_size import FOLLOWS, PLANNED, SIZES, can_follow
from studio.models.choices import ModelChoices, family_values
from studio.translate import tr

STEPS = 20
"""Steps where neither model nor schema has a word."""


class ModelValues:
    """Asked by the form's fields whenever they are shown anew."""

    def __init__(self, binding: Binding, models: ModelChoices) -> None:
        self._binding, self._models = binding, models

    @property
    def model(self) -> ModelInfo | None:
        """The chosen model, if it is known."""
        return self._models.find(str(self._binding.value("model") or ""))

    def default(self, name: str) -> Any:
        """The model's value of an argument, else its schema's."""
        model = self.model
        values = family_values(model, ()) if model is not None else {}
        if name in values:
            return values[name]
        schema = self._binding.schema(name)
        return schema.default if schema is not None else None

    def is_from_model(self, name: str) -> bool:
        """Whether the argument has the value its model's family asks for."""
        model = self.model
        values = family_values(model, ()) if model is not None else {}
        return name in values and self._binding.value(name) == values[name]

    def default_steps(self) -> int:
        """Steps of the quality “normal”."""
        default = self.default("steps")
        return default if isinstance(default, int) and default > 0 else STEPS

    def number(self, name: str, otherwise: int) -> int:
        """An argument that is a whole number."""
        value = self._binding.value(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else otherwise

    def size_plan(self) -> SizePlan | None:
        """How the chosen model comes to the size that is set, or to the one of a reference; ``None`` where
        nothing is known of it, or the graph draws no size beyond the model."""
        model = self.model
        if model is None or self._binding.beside("width", SIZES) is None:
            return None
        limits = limits_for(model.model_dump(include={"family", "native_size", "size_multiple"}))
        width, height = self.number("width", 512), self.number("height", 512)
        if self.follows_reference():
            width, height = limits.native
        return plan_size(max(width, 1), max(height, 1), limits)

    def draws_any_size(self) -> bool:
        """Whether sizes beyond the model are planned, so that none needs to be a multiple of anything."""
        return self._binding.beside("width", SIZES) in (PLANNED, FOLLOWS)

    def follows_reference(self) -> bool:
        """Whether the size is that of the first reference."""
        return bool(self._binding.beside("width", SIZES) == FOLLOWS)

    def can_follow_reference(self) -> bool:
        """Whether it could be."""
        place = self._binding.names.get("width")
        return place is not None and can_follow(self._binding.graph, self._binding.registry, place.node)

    def has_own_size(self) -> bool:
        """Whether somebody chose a size other than the model's own."""
        return any(self._binding.value(name) != self.default(name) for name in ("width", "height"))

    def reason(self, name: str) -> str:
        """Why an argument has no effect with this model; empty if it has one."""
        model = self.model
        if name == "detail":
            plan = self.size_plan()
            if plan is not None and not (self.draws_any_size() and plan.mode == "two_pass"):
                return tr("This size is drawn in one pass; there is no second.")
        if name == "negative" and not (model is not None and name in model.unavailable):
            guidance = self._binding.value("guidance_scale")
            if isinstance(guidance, int | float) and self._binding.has("guidance_scale") and guidance <= 1:
                return tr("It counts from a guidance scale above 1.")
        return tr(model.unavailable[name]) if model is not None and name in model.unavailable else ""

    def _sampler(self) -> SamplerSpec | None:
        chosen = self._binding.value("sampler")
        return next((item for item in SAMPLERS.values() if item.id.value == chosen), None)

    def models_for(self, dynamic: str, value: str) -> tuple[list[tuple[str, str]], str]:
        """The choices of a list of models (``models:language``), and the one under which ``value`` stands
        there."""
        kind = dynamic.removeprefix("models:")
        return self._models.choices(kind, value), self._models.listed_value(value, kind)

    def choice_reasons(self, name: str) -> dict[str, str]:
        """Choices that can't be used: by the model's word, or because the sampler takes no such schedule."""
        model = self.model
        found = model.unavailable.items() if model is not None else ()
        reasons = {key.removeprefix(f"{name}:"): tr(why) for key, why in found if key.startswith(f"{name}:")}
        sampler = self._sampler()
        if name == "schedule" and sampler is not None:
            why = tr("The sampler {sampler} can't take this schedule.", sampler=tr(sampler.title))
            reasons |= {item.value: why for item in Schedule if item not in sampler.schedules}
        return reasons

    def choice_notes(self, name: str) -> dict[str, str]:
        """Where a schedule is not exactly what other programs compute, its tooltip says so."""
        sampler = self._sampler()
        if name != "schedule" or sampler is None:
            return {}
        return {item.value: tr(schedule_note(sampler.id, item)) for item in sampler.schedules}
