"""What makes a model faster on a given computer, switched on for one run and off again: ways to compute
attention, step caches, memory layout, compiled blocks. The model is the same before and after, bit for bit.

``choices`` says what there is and what it costs, without torch; the others do it, ``applying`` all of it.
"""

from pipelines.models.speed.choices import Reason, attention_reasons, compile_reason, runtime_reason

__all__ = ["Reason", "attention_reasons", "compile_reason", "runtime_reason"]
