"""Opening models: the loader is asked for a handle (:mod:`.loader`); a module opens each kind, and each way
diffusion models are kept (whole folders, checkpoints, files of one network). Imports torch when it opens.
"""

from pipelines.models.loading.loader import CONFIGS, Loaded, Loader, ModelLoader, networks_of

__all__ = ["CONFIGS", "Loaded", "Loader", "ModelLoader", "networks_of"]
