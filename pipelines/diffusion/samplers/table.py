"""The samplers and schedules there are, under the names users of A1111 and ComfyUI know: one table, no torch.

A *sampler* is the recipe that removes the noise; a *schedule* says how much of it each step removes. Which
pairs can be used with a model follows from the table and the model's own scheduler configuration; building
them is :mod:`pipelines.diffusion.samplers.scheduling`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal

from pipelines.errors import SamplerUnavailable, ScheduleUnavailable

SchedulerConfig = Mapping[str, Any]
"""The configuration of a diffusers scheduler, ``_class_name`` included (``scheduler_config.json``)."""


class Sampler(StrEnum):
    """Ids of the samplers, as documents write them."""

    DEFAULT = "default"
    EULER = "euler"
    EULER_A = "euler_a"
    HEUN = "heun"
    DPM2 = "dpm2"
    DPM2_A = "dpm2_a"
    LMS = "lms"
    DPMPP_2M = "dpmpp_2m"
    DPMPP_2M_SDE = "dpmpp_2m_sde"
    DPMPP_SDE = "dpmpp_sde"
    DPMPP_3M_SDE = "dpmpp_3m_sde"
    UNIPC = "unipc"
    DDIM = "ddim"
    DDPM = "ddpm"
    DEIS = "deis"
    LCM = "lcm"
    TCD = "tcd"


class Schedule(StrEnum):
    """Ids of the schedules, as documents write them."""

    DEFAULT = "default"
    NORMAL = "normal"
    KARRAS = "karras"
    EXPONENTIAL = "exponential"
    BETA = "beta"
    SGM_UNIFORM = "sgm_uniform"
    TRAILING = "trailing"


class NoiseSource(StrEnum):
    """Where the first noise comes from."""

    CPU = "cpu"
    PHILOX = "philox"


SCHEDULE_TITLES: Final[Mapping[Schedule, str]] = {
    Schedule.DEFAULT: "Model default",
    Schedule.NORMAL: "Normal",
    Schedule.KARRAS: "Karras",
    Schedule.EXPONENTIAL: "Exponential",
    Schedule.BETA: "Beta",
    Schedule.SGM_UNIFORM: "SGM uniform",
    Schedule.TRAILING: "Trailing",
}

How = Literal["sigmas", "interleaved", "hook", "spacing", "own"]
"""How a scheduler is given a schedule.

``sigmas``: ours replace its own, one a step; ``interleaved``: the same, each inner one twice (Heun evaluates
twice a step); ``hook``: it asks a method of its own for the sigmas and derives midpoints from them;
``spacing``: it only knows which timesteps to visit, by a setting; ``own``: it has a schedule of its own and
takes no other.
"""

_ALL: Final = frozenset(Schedule)
_SPACED: Final = frozenset({Schedule.DEFAULT, Schedule.NORMAL, Schedule.SGM_UNIFORM, Schedule.TRAILING})
_FLOW: Final = frozenset({Schedule.DEFAULT, Schedule.KARRAS, Schedule.EXPONENTIAL, Schedule.BETA})


@dataclass(frozen=True, slots=True)
class SamplerSpec:
    """One row: the diffusers class and arguments behind a name.

    ``predictions`` are the prediction types its step knows; ``flow_class`` the class that serves
    flow-matching models, empty if none does. ``stochastic``: it adds fresh noise on the way.
    """

    id: Sampler
    title: str
    description: str
    scheduler: str
    how: How
    arguments: Mapping[str, Any] = field(default_factory=dict)
    flow_class: str = ""
    flow_arguments: Mapping[str, Any] = field(default_factory=dict)
    predictions: frozenset[str] = frozenset({"epsilon", "v_prediction", "sample"})
    stochastic: bool = False
    eta: float = 0.0
    """How much fresh noise a step takes, for classes that ask for it (TCD's gamma, DDIM's eta)."""
    zero_snr: bool = True
    """Whether it draws well from the pure noise (sigma 4096) that zero terminal SNR starts from."""
    ends_at_zero: bool = True
    """Whether its last noise level can be zero."""

    @property
    def schedules(self) -> frozenset[Schedule]:
        """The schedules it can take on a model that isn't flow-matching."""
        match self.how:
            case "own":
                return frozenset({Schedule.DEFAULT})
            case "spacing":
                return _SPACED
            case _:
                return _ALL

    @property
    def exact(self) -> bool:
        """Whether its sigmas are ours to the last digit, and so those of A1111 and ComfyUI."""
        return self.how in ("sigmas", "interleaved", "hook")


_NOISE_OR_V = frozenset({"epsilon", "v_prediction"})
_MULTISTEP = "DPMSolverMultistepScheduler"
_FLOW_SOLVER = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}

SAMPLERS: Final[Mapping[Sampler, SamplerSpec]] = {
    spec.id: spec
    for spec in (
        SamplerSpec(Sampler.EULER, "Euler", "The plain one: fast and predictable.",
                    "EulerDiscreteScheduler", "sigmas", flow_class="FlowMatchEulerDiscreteScheduler"),
        SamplerSpec(Sampler.EULER_A, "Euler a", "Euler with fresh noise each step: lively, never settles.",
                    "EulerAncestralDiscreteScheduler", "sigmas", predictions=_NOISE_OR_V, stochastic=True),
        SamplerSpec(Sampler.HEUN, "Heun", "Two evaluations a step: slower, more exact.",
                    "HeunDiscreteScheduler", "interleaved", flow_class="FlowMatchHeunDiscreteScheduler",
                    predictions=_NOISE_OR_V, zero_snr=False),
        SamplerSpec(Sampler.DPM2, "DPM2", "Second order with a midpoint: two evaluations a step.",
                    "KDPM2DiscreteScheduler", "hook", predictions=_NOISE_OR_V),
        SamplerSpec(Sampler.DPM2_A, "DPM2 a", "DPM2 with fresh noise each step.",
                    "KDPM2AncestralDiscreteScheduler", "hook", predictions=_NOISE_OR_V, stochastic=True,
                    zero_snr=False),
        SamplerSpec(Sampler.LMS, "LMS", "Linear multistep: remembers the last four steps.",
                    "LMSDiscreteScheduler", "sigmas"),
        SamplerSpec(Sampler.DPMPP_2M, "DPM++ 2M", "A good first choice: few steps, stable.",
                    _MULTISTEP, "sigmas", {"algorithm_type": "dpmsolver++", "solver_order": 2},
                    _MULTISTEP, _FLOW_SOLVER),
        SamplerSpec(Sampler.DPMPP_2M_SDE, "DPM++ 2M SDE", "DPM++ 2M with fresh noise: more texture.",
                    _MULTISTEP, "sigmas", {"algorithm_type": "sde-dpmsolver++", "solver_order": 2},
                    _MULTISTEP, _FLOW_SOLVER, stochastic=True),
        SamplerSpec(Sampler.DPMPP_SDE, "DPM++ SDE", "Two evaluations a step and fresh noise: slow, rich.",
                    "DPMSolverSDEScheduler", "hook", predictions=_NOISE_OR_V, stochastic=True),
        SamplerSpec(Sampler.DPMPP_3M_SDE, "DPM++ 3M SDE", "Third order with fresh noise: wants many steps.",
                    _MULTISTEP, "sigmas", {"algorithm_type": "sde-dpmsolver++", "solver_order": 3},
                    stochastic=True),
        SamplerSpec(Sampler.UNIPC, "UniPC", "Predictor and corrector: good with very few steps.",
                    "UniPCMultistepScheduler", "sigmas", {"solver_order": 2, "solver_type": "bh2"},
                    "UniPCMultistepScheduler", _FLOW_SOLVER),
        SamplerSpec(Sampler.DDIM, "DDIM", "The classic without fresh noise.", "DDIMScheduler", "spacing"),
        SamplerSpec(Sampler.DDPM, "DDPM", "The original with fresh noise: wants many steps.",
                    "DDPMScheduler", "spacing", stochastic=True),
        SamplerSpec(Sampler.DEIS, "DEIS", "Exponential integrator: good with few steps.",
                    "DEISMultistepScheduler", "sigmas", {"algorithm_type": "deis", "solver_type": "logrho"},
                    ends_at_zero=False),
        SamplerSpec(Sampler.LCM, "LCM", "For models distilled for 2 to 8 steps.",
                    "LCMScheduler", "own", flow_class="FlowMatchLCMScheduler", stochastic=True),
        SamplerSpec(Sampler.TCD, "TCD", "For models distilled for 2 to 8 steps, with less loss of detail.",
                    "TCDScheduler", "own", stochastic=True, eta=0.3),
    )
}  # fmt: skip
"""Every sampler but :attr:`Sampler.DEFAULT`, which is whatever the model brings."""

_KNOWN_CLASSES: Final = frozenset(spec.scheduler for spec in SAMPLERS.values()) | {
    "PNDMScheduler",
    "DPMSolverSinglestepScheduler",
}


def sampler_title(sampler: Sampler) -> str:
    """The name a user reads."""
    return "Model default" if sampler is Sampler.DEFAULT else SAMPLERS[sampler].title


def is_flow(config: SchedulerConfig) -> bool:
    """Whether the model was trained by flow matching (Lipman et al. 2023): SD3, Flux and their kin."""
    return (
        str(config.get("_class_name", "")).startswith("FlowMatch")
        or config.get("prediction_type") == "flow_prediction"
        or bool(config.get("use_flow_sigmas"))
    )


def own_sampler(config: SchedulerConfig) -> SamplerSpec | None:
    """The row of the table that the model's own scheduler is; ``None`` if it is none of them."""
    name = str(config.get("_class_name", ""))
    for spec in SAMPLERS.values():
        if is_flow(config):
            if spec.flow_class == name and not spec.arguments:
                return spec
        elif spec.scheduler == name and all(
            config.get(key) == value for key, value in spec.arguments.items()
        ):
            return spec
    return None


def sampler_reason(sampler: Sampler, config: SchedulerConfig) -> str:
    """Why this sampler can't serve a model with this scheduler configuration; empty if it can."""
    if sampler is Sampler.DEFAULT:
        return ""
    spec, name = SAMPLERS[sampler], str(config.get("_class_name", ""))
    if is_flow(config):
        return (
            ""
            if spec.flow_class
            else "The model was trained by flow matching, which this sampler doesn't know."
        )
    if name and name not in _KNOWN_CLASSES:
        return f"The model needs the sampler it was made with ({name})."
    prediction = str(config.get("prediction_type", "epsilon"))
    if prediction not in spec.predictions:
        return f"The model predicts “{prediction}”, which this sampler doesn't know."
    if config.get("rescale_betas_zero_snr") and not spec.zero_snr:
        return "The model starts from pure noise (zero terminal SNR), where this sampler overshoots."
    return ""


def schedule_reason(sampler: Sampler, schedule: Schedule, config: SchedulerConfig) -> str:
    """Why this schedule can't be used with this sampler on such a model; empty if it can."""
    if schedule is Schedule.DEFAULT:
        return ""
    spec = own_sampler(config) if sampler is Sampler.DEFAULT else SAMPLERS[sampler]
    if spec is None:
        return "The model's own sampler comes with its own schedule; choose a sampler by name to change it."
    if is_flow(config):
        if spec.id is Sampler.LCM or schedule not in _FLOW:
            return "The model was trained by flow matching, which has its own spacing."
        return ""
    if schedule in spec.schedules:
        return ""
    if spec.how == "own":
        return "This sampler visits the timesteps its models were distilled for."
    return "This sampler works with timesteps, not with free noise levels."


def schedule_note(sampler: Sampler, schedule: Schedule) -> str:
    """For a tooltip: where a schedule is not what its name means in A1111 and ComfyUI; else empty."""
    if sampler is Sampler.DEFAULT or schedule is Schedule.DEFAULT:
        return ""
    spec = SAMPLERS[sampler]
    if spec.how == "spacing" and schedule is Schedule.SGM_UNIFORM:
        return "This sampler visits whole timesteps: the same as Trailing here."
    if not spec.ends_at_zero:
        return "This sampler can't end at zero noise; it stops at a level too low to be seen."
    if schedule is Schedule.BETA and spec.exact:
        return "Spaced in timesteps, as in ComfyUI; A1111 spaces it in noise levels."
    return ""


def availability(config: SchedulerConfig) -> dict[Sampler, str]:
    """Each sampler that can't serve a model with this scheduler configuration, and why."""
    return {sampler: reason for sampler in Sampler if (reason := sampler_reason(sampler, config))}


def schedule_availability(sampler: Sampler, config: SchedulerConfig) -> dict[Schedule, str]:
    """Each schedule that ``sampler`` can't take on such a model, and why."""
    return {
        schedule: reason for schedule in Schedule if (reason := schedule_reason(sampler, schedule, config))
    }


def check(sampler: Sampler, schedule: Schedule, config: SchedulerConfig, model: str) -> None:
    """Raise :class:`SamplerUnavailable` or :class:`ScheduleUnavailable` if the model can't take the pair."""
    if reason := sampler_reason(sampler, config):
        raise SamplerUnavailable(sampler=sampler_title(sampler), model=model, reason=reason)
    if reason := schedule_reason(sampler, schedule, config):
        raise ScheduleUnavailable(
            schedule=SCHEDULE_TITLES[schedule], sampler=sampler_title(sampler), reason=reason
        )
