"""What a run will need, before it runs: memory by component, whether it fits a device, how long it takes.

From headers, settings and the graph alone; ``fit`` is how the figures of ``activations`` were found.
"""

from pipelines.models.forecast.calibration import Calibration, read_calibration
from pipelines.models.forecast.changes import Change
from pipelines.models.forecast.forecast import Forecast, Forecaster, ModelForecast, forecast
from pipelines.models.forecast.history import History, Ran
from pipelines.models.forecast.verdict import Machine

__all__ = [
    "Calibration", "Change", "Forecast", "Forecaster", "History", "Machine", "ModelForecast", "Ran",
    "forecast", "read_calibration",
]  # fmt: skip
