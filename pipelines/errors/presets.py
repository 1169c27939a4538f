"""Presets: a model with all that goes with it, kept under a name."""

from __future__ import annotations

from pipelines.errors.base import DiptychError


class PresetUnreadable(DiptychError):
    what = "The preset {name} can't be read."
    why = "{reason}"
    remedy = "Export it again where it was made, or delete it."


class PresetFromTheFuture(DiptychError):
    what = "The preset {name} was made by a newer Diptych."
    why = "It has format {found}; this version knows {known}."
    remedy = "Update Diptych. The file is left as it is."


class PresetMissing(DiptychError):
    what = "The preset {name} is gone."
    why = "Its file was moved or deleted."
    remedy = "Look into the system's bin, or save it again."
