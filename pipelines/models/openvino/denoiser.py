"""What stands between a pipeline and its denoiser where OpenVINO computes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pipelines.models.openvino.graphs import Call, Graph, GraphFailedError, UnsuitableCallError

if TYPE_CHECKING:
    import torch

TOLERANCE: Final = {"torch.float32": 1e-3, "torch.bfloat16": 0.08, "torch.float16": 0.02}
"""How far an answer may be from torch's own, as the norm of the difference over the norm: in 16 bits the two
round in another order (the starter's answers differ by 0.01 to 0.03)."""
MAX_GRAPHS: Final = 2
"""Compiled graphs kept for one model: each holds its weights once more."""


class Outcome(StrEnum):
    """Why a call was answered by torch after all."""

    UNSUITABLE = "unsuitable"
    DIFFERENT = "different"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One call answered by both: seconds of each, and how far apart the answers are."""

    torch: float
    openvino: float
    error: float

    @property
    def speedup(self) -> float:
        """How many times faster OpenVINO was."""
        return self.torch / self.openvino if self.openvino > 0 else 0.0


class OpenvinoDenoiser:
    """Passes for the denoiser ``network``; what isn't defined here is answered by that.

    The first call of each size is answered by both, and compared: a trace can hide what depends on sizes.
    Calls that can't be answered otherwise (a ControlNet's residuals), or that would be answered wrongly, go
    to torch, and ``told`` hears of it once.

    Args:
        network: the denoiser, on the processor, in ``dtype``.
        graphs: those compiled for this very network before; new ones are added, the oldest dropped.
        compiling: called before a graph is compiled, which takes a while.
        told: called with what went otherwise, and a sentence about it.
        compared: called with each comparison.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        dtype: torch.dtype,
        threads: int,
        graphs: dict[Any, Graph | None],
        *,
        compiling: Callable[[], None] = lambda: None,
        told: Callable[[Outcome, str], None] = lambda outcome, reason: None,
        compared: Callable[[Comparison], None] = lambda comparison: None,
    ) -> None:
        self._network, self._dtype, self._threads, self._graphs = network, dtype, threads, graphs
        self._compiling, self._told, self._compared = compiling, told, compared
        self._agreed: set[Any] = set()
        self._said = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The denoiser's answer: a tuple of one tensor, as ``return_dict=False`` asks for."""
        try:
            if kwargs.get("return_dict", True):
                raise UnsuitableCallError("The pipeline asks for more than a tensor.")
            call = Call.of(args, kwargs)
            graph = self._graph(call)
        except UnsuitableCallError as unsuitable:
            return self._by_torch(Outcome.UNSUITABLE, str(unsuitable), args, kwargs)
        if graph is None:
            return self._network(*args, **kwargs)
        size = (call.form, tuple(tensor.shape for tensor in call.tensors))
        if size not in self._agreed:
            return self._both(graph, call, size, args, kwargs)
        return (graph(call, self._dtype),)

    def _graph(self, call: Call) -> Graph | None:
        """The graph for calls of this form, compiled if need be; None if it was found to be of no use."""
        if call.form not in self._graphs:
            self._compiling()
            while len(self._graphs) >= MAX_GRAPHS:
                del self._graphs[next(iter(self._graphs))]
            try:
                self._graphs[call.form] = Graph(self._network, call, self._dtype, self._threads)
            except GraphFailedError as error:
                self._graphs[call.form] = None
                self._tell(Outcome.FAILED, f"It can't be compiled ({error}).")
        return self._graphs[call.form]

    def _both(self, graph: Graph, call: Call, size: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        started = time.perf_counter()
        expected = self._network(*args, **kwargs)
        between = time.perf_counter()
        try:
            found = graph(call, self._dtype)
        except GraphFailedError as failure:
            self._graphs[call.form] = None
            self._tell(Outcome.FAILED, f"It failed ({failure}).")
            return expected
        took = time.perf_counter() - between
        wanted = expected[0].float()
        same = found.shape == wanted.shape
        error = (
            float((found.float() - wanted).norm() / wanted.norm().clamp(min=1e-12)) if same else float("inf")
        )
        self._compared(Comparison(between - started, took, error))
        if not error <= TOLERANCE[str(self._dtype)]:  # also where it is not a number
            self._graphs[call.form] = None
            self._tell(Outcome.DIFFERENT, "Its answers differ from torch's own.")
        else:
            self._agreed.add(size)
        return expected

    def _by_torch(self, outcome: Outcome, reason: str, args: Any, kwargs: dict[str, Any]) -> Any:
        self._tell(outcome, reason)
        return self._network(*args, **kwargs)

    def _tell(self, outcome: Outcome, reason: str) -> None:
        if not self._said:
            self._said = True
            self._told(outcome, reason)
