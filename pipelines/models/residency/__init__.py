"""How long models stay in memory, and where: one manager for models of every kind, network by network.

``manager`` brings models and lets them go, ``room`` says which leave for others, ``placing`` what of them is
on a card; ``part`` and ``streaming`` move weights; ``accelerator`` is any device of torch's, ``fake`` one of
main memory for tests and measurements, ``meter`` counts what is computed with.
"""

from pipelines.models.residency.manager import Held, Residency
from pipelines.models.residency.room import Budget, default_budget
from pipelines.models.residency.slot import Residence

__all__ = ["Budget", "Held", "Residence", "Residency", "default_budget"]
