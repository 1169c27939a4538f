"""Networks computed by OpenVINO on a processor, where the extra ``openvino`` is installed: what stands for a
denoiser (:mod:`.denoiser`), and how a call of it is turned into one of a compiled graph (:mod:`.graphs`).
"""

from pipelines.models.openvino.denoiser import Comparison, OpenvinoDenoiser, Outcome
from pipelines.models.openvino.library import available

__all__ = ["Comparison", "OpenvinoDenoiser", "Outcome", "available"]
