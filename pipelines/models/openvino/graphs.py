"""One call of a network as tensors and what surrounds them, and graphs compiled for calls of one form."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipelines.models.openvino.library import import_openvino

if TYPE_CHECKING:
    import torch

PRECISIONS: Final = {"torch.float32": "f32", "torch.bfloat16": "bf16", "torch.float16": "f16"}


class GraphFailedError(RuntimeError):
    """A graph couldn't be made, or couldn't be run; the text is the library's."""


class UnsuitableCallError(ValueError):
    """A call that can't be turned into one of a graph; the text says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A call's tensors, and its form: where they stand among the arguments, and what the others are.

    Two calls of one form differ in their tensors only, so that one graph serves both.
    """

    tensors: tuple[torch.Tensor, ...]
    form: Hashable

    @classmethod
    def of(cls, args: Sequence[Any], kwargs: dict[str, Any]) -> Call:
        """The call ``network(*args, **kwargs)``. A number in place of a timestep counts as a tensor.

        Raises:
            UnsuitableCallError: lists of tensors, or anything else that isn't plain, are among the arguments.
        """
        import torch

        tensors: list[torch.Tensor] = []

        def taken(value: Any) -> Hashable:
            if isinstance(value, float):
                value = torch.tensor(value)
            if isinstance(value, torch.Tensor):
                tensors.append(value)
                return _Slot(len(tensors) - 1, str(value.dtype), value.ndim)
            if isinstance(value, dict):
                return _Mapping(tuple((name, taken(inner)) for name, inner in sorted(value.items())))
            if value is None or isinstance(value, bool | int | str):
                return value
            raise UnsuitableCallError(f"A {type(value).__name__} is among the arguments.")

        form = (
            tuple(map(taken, args)),
            _Mapping(tuple((name, taken(kwargs[name])) for name in sorted(kwargs))),
        )
        return cls(tuple(tensors), form)


@dataclass(frozen=True, slots=True)
class _Slot:
    """The place of tensor ``index``."""

    index: int
    dtype: str
    sides: int


@dataclass(frozen=True, slots=True)
class _Mapping:
    items: tuple[tuple[str, Hashable], ...]


def _filled(form: Any, tensors: Sequence[torch.Tensor]) -> Any:
    """A form with tensors in its places: the arguments again."""
    match form:
        case _Slot():
            return tensors[form.index]
        case _Mapping():
            return {name: _filled(inner, tensors) for name, inner in form.items}
        case tuple():
            return tuple(_filled(inner, tensors) for inner in form)
    return form


class Graph:
    """A network compiled for calls of one form.

    Sides of tensors are free: what traces can't see (sizes computed in Python) would be wrong for others, so
    who uses a graph compares its first answer for each size with the network's own.
    """

    def __init__(self, network: torch.nn.Module, call: Call, dtype: torch.dtype, threads: int) -> None:
        """Trace and compile; takes seconds, and the memory of the network's weights once more.

        Raises:
            GraphFailedError: the network does what can't be traced, or what OpenVINO doesn't know.
        """
        openvino = import_openvino()
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        examples = tuple(_plain(tensor) for tensor in call.tensors)
        settings = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[str(dtype)], "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }  # fmt: skip
        with warnings.catch_warnings(), _failures():
            warnings.simplefilter("ignore")  # of tracing: what they warn of is what is compared later
            decoder = TorchScriptPythonDecoder(
                _traced(network, call), example_input=examples, trace_kwargs={"check_trace": False}
            )
            front = FrontEndManager().load_by_framework("pytorch")
            model = front.convert(front.load(decoder))
            self._request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()

    def __call__(self, call: Call, dtype: torch.dtype) -> torch.Tensor:
        """The network's answer for a call of the form it was compiled for, in ``dtype``.

        Raises:
            GraphFailedError: it can't be computed.
        """
        import torch

        with _failures():
            results = self._request.infer(
                [_plain(tensor).numpy() for tensor in call.tensors], share_inputs=True
            )
        return torch.from_numpy(results[0]).to(dtype)


@contextmanager
def _failures() -> Iterator[None]:
    """One error for those of OpenVINO, some of which are no more than exceptions."""
    from openvino import frontend

    kinds = (
        RuntimeError, frontend.GeneralFailure, frontend.InitializationFailure, frontend.NotImplementedFailure,
        frontend.OpConversionFailure, frontend.OpValidationFailure,
    )  # fmt: skip
    try:
        yield
    except kinds as error:
        raise GraphFailedError(str(error).strip()[:200]) from error


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """As NumPy knows it: it has no bfloat16."""
    return tensor.detach().contiguous().float() if tensor.is_floating_point() else tensor.contiguous()


def _traced(network: torch.nn.Module, call: Call) -> torch.nn.Module:
    """The network as a function of tensors alone, its floating-point ones float32 on both sides."""
    import torch

    dtypes, form = tuple(tensor.dtype for tensor in call.tensors), call.form

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            given = [tensor.to(dtype) for tensor, dtype in zip(tensors, dtypes, strict=True)]
            args, kwargs = _filled(form, given)
            return self.network(*args, **kwargs)[0].float()

    return Plain().eval()
