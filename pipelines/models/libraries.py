"""The libraries that open models, imported when the first one is needed: offline, quiet, and never with
code from the network.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

OFFLINE: Final = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "USE_HUB_KERNELS": "0",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Environment that keeps Hugging Face's libraries from the network; read by them once, when they are
imported.
"""


def go_offline() -> None:
    """Set :data:`OFFLINE`; to be called before any of the libraries is imported.

    Raises:
        RuntimeError: huggingface_hub has been imported with the network allowed; the setting would come too
            late.
    """
    os.environ.update(OFFLINE)
    # diffusers imports it wherever it is installed, and it notes at once which kernels it can't fetch.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    hub = sys.modules.get("huggingface_hub.constants")
    if hub is not None and not hub.HF_HUB_OFFLINE:
        raise RuntimeError("huggingface_hub was imported before HF_HUB_OFFLINE was set")


def import_diffusers() -> ModuleType:
    """diffusers, without its progress bars and its advice on standard error."""
    go_offline()
    import diffusers

    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    logging.getLogger("diffusers.loaders").setLevel(logging.CRITICAL)  # it prints what it raises as well
    import_transformers()
    return diffusers


def import_transformers() -> ModuleType:
    """transformers, without its progress bars and its advice on standard error."""
    go_offline()
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


@contextmanager
def without_notices() -> Iterator[None]:
    """What the libraries say of parts of their own that are going to change is left out in this block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def import_bitsandbytes() -> ModuleType:
    """bitsandbytes, without its notes on kernels it would fetch and on casts it makes.

    Raises:
        ImportError, OSError, RuntimeError: it isn't installed, or its own library doesn't load.
    """
    go_offline()
    import bitsandbytes

    return bitsandbytes
