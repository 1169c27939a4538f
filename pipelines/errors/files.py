"""Files and pictures."""

from __future__ import annotations

from pipelines.errors.base import DiptychError


class FileMissing(DiptychError):
    what = "{path} is not there."
    remedy = "Choose another file, or put it back."


class ImageUnreadable(DiptychError):
    what = "The image {path} can't be read."
    why = "{reason}"
    remedy = "Open it in another program and save it again, or choose another one."


class ImageTooLarge(DiptychError):
    what = "{width} × {height} pixels are too many."
    why = "The limit is {limit} million pixels, so that memory is never exhausted."
    remedy = "Choose a smaller size."


class ImageNeedsMemory(DiptychError):
    what = "{width} × {height} pixels don't fit into memory."
    why = "Decoding them needs {needed}, {free} is free."
    remedy = "Close other programs, or reduce the picture in one that reads it piece by piece."


class SaveFailed(DiptychError):
    what = "The image could not be saved to {path}."
    why = "{reason}"
    remedy = "Choose another folder. The image is kept in memory until then."


class PathNotAllowed(DiptychError):
    what = "{path} leaves the folder it must stay in."
    remedy = "Use a plain name without “..” or a drive."


class DiskFull(DiptychError):
    what = "There is no space left for {path}."
    why = "It needs {needed}, {free} is free."
    remedy = "Free some space or choose another folder. Nothing was lost."


class NothingToSave(DiptychError):
    what = "There is nothing to save."
    remedy = "Run the step before it first."


class GraphNotSaved(SaveFailed):
    what = "The graph could not be saved to {path}."
    remedy = "Save it somewhere else. It stays open, and the file is as it was before."


class JournalNotKept(SaveFailed):
    what = "Your latest changes could not be written to {path}."
    remedy = "Save the document somewhere else: the next start would not know these changes."


class BackupNotKept(SaveFailed):
    what = "A backup of the document could not be written to {path}."
    remedy = "Free some space, or make the folder writable. The document itself is not affected."


class TextNotSaved(SaveFailed):
    what = "The text could not be saved to {path}."
    remedy = "Choose another folder. Nothing that was there has changed."


class FolderMissing(DiptychError):
    what = "The folder {path} is not there."
    remedy = "Choose another folder, or put it back."


class TextUnreadable(DiptychError):
    what = "The text {path} can't be read."
    why = "{reason}"
    remedy = "Save it as plain text in UTF-8, or choose another one."


class AssetMissing(DiptychError):
    what = "Pixels of this document are missing: {name}."
    why = "A graph only names its painted layers; their pixels come with the .diptych file."
    remedy = "Open the .diptych file that the graph was saved in."


class AssetsNeedArchive(DiptychError):
    what = "{name} can't hold the painted layers of this document."
    why = "A JSON file holds text alone."
    remedy = "Save the document as a .diptych file."


class OpenRasterUnreadable(ImageUnreadable):
    what = "The OpenRaster file {path} can't be read."
    remedy = "Save it again in the program that made it, or as PNG."


class OpenRasterTooLarge(DiptychError):
    what = "The {layers} layers of {path} have {pixels} million pixels."
    why = "The limit is {limit} million, so that memory is never exhausted."
    remedy = "Merge or crop layers in the program that made it, or save it as PNG."


class LayerLeftOut(DiptychError):
    """A warning: the other layers of the file are there."""

    what = "The layer “{name}” was left out."
    why = "{reason}"
    remedy = "Turn it into a plain layer in the program that made it, and save again."


class LayerLooksDifferent(DiptychError):
    """A warning: the layer is there, but a setting of it is not."""

    what = "The layer “{name}” may look different here."
    why = "{reason}"
    remedy = "Merge it with what is below in the program that made it, and save again."


class ProgramNotStarted(DiptychError):
    what = "{program} could not be opened."
    why = "{reason}"
    remedy = "Choose your painting program in the settings."


class CropOutside(DiptychError):
    what = "The part of {width} × {height} px at {x}, {y} reaches outside the picture."
    why = "The picture is {image_width} × {image_height} px."
    remedy = "Choose a position and a size inside it."


class SizesDiffer(DiptychError):
    what = "The first picture is {width} × {height} px, {name} is {other_width} × {other_height} px."
    why = "They are laid over each other, so they must have the same size."
    remedy = "Resize or crop one of them first."


class FolderUnusable(DiptychError):
    """A folder that Diptych needs for itself, not one for pictures."""

    what = "The folder {path} can't be used."
    why = "{reason}"
    remedy = "Make it writable, or set DIPTYCH_HOME to a folder that is."


class PathUnusable(DiptychError):
    what = "“{path}” is not a usable path."
    why = "{reason}"
    remedy = "Choose the file or folder again."


class PictureNotShown(DiptychError):
    """A warning, not a failure: the run goes on, and what it saves is saved."""

    what = "Pictures of this run can't be shown."
    why = "{reason}"
    remedy = "Free some space. The run goes on, and its pictures are saved where you said."


class OutputFolderUnusable(FolderUnusable):
    """A folder that was asked for."""

    remedy = "Choose another folder."
