"""LoRAs and embeddings of a model: their files, and giving them to a model that is loaded."""

from __future__ import annotations

from pipelines.errors import DiptychError, ModelChanged
from pipelines.graph.node import Context
from pipelines.graph.values import Embedding, Lora, ModelHandle
from pipelines.models.catalogue.catalogue import Catalogue
from pipelines.models.files.reading import explained
from pipelines.models.loaded import EmbeddingFile, LoadedDiffusion, LoraFile
from pipelines.models.lora.adding import Room, stories_of
from pipelines.models.probing import embedding_families
from pipelines.models.probing.lora_families import check_fits

Files = tuple[list[LoraFile], list[EmbeddingFile]]


def additions_of(handle: ModelHandle, catalogue: Catalogue) -> Files:
    """The files of a handle's LoRAs and embeddings, as they were when it was made and of the model's family.

    Raises:
        ModelMissing, ModelUnsafe, ModelUnsuitable: it can't be opened, or is none.
        ModelChanged: it is another file than when the handle was made.
        LoraUnsuitable, EmbeddingUnsuitable: it was made for models of another family.
    """
    return (
        [_lora(lora, handle, catalogue) for lora in handle.loras],
        [_embedding(embedding, handle, catalogue) for embedding in handle.embeddings],
    )


def _lora(lora: Lora, model: ModelHandle, catalogue: Catalogue) -> LoraFile:
    entry = catalogue.find("lora", lora.path)
    entry.check("lora")
    if lora.fingerprint and entry.fingerprint != lora.fingerprint:
        raise ModelChanged(model=lora.id)
    check_fits(lora.id, entry.info.family, model.id, model.family)
    return LoraFile(lora, entry.weights, entry.info.title)


def _embedding(embedding: Embedding, model: ModelHandle, catalogue: Catalogue) -> EmbeddingFile:
    entry = catalogue.find("embedding", embedding.path)
    entry.check("embedding")
    if embedding.fingerprint and entry.fingerprint != embedding.fingerprint:
        raise ModelChanged(model=embedding.id)
    embedding_families.check_fits(embedding.id, entry.info.base or entry.info.family, model.id, model.family)
    return EmbeddingFile(embedding, entry.weights)


def change(loaded: LoadedDiffusion, handle: ModelHandle, files: Files, context: Context, room: Room) -> None:
    """Give a loaded model these files, and nothing of what it had.

    Raises:
        As :meth:`pipelines.models.lora.adding.Additions.change`; it has none then.
    """
    loras, embeddings = files
    assert loaded.additions is not None
    _told(loaded)
    with explained(handle.id, "cpu"):
        loaded.additions.change(loras, embeddings, context, room)
    loaded.handle = loaded.handle.replace(loras=handle.loras, embeddings=handle.embeddings)
    loaded.card |= stories_of(loras, embeddings)


def adjust(loaded: LoadedDiffusion, handle: ModelHandle, catalogue: Catalogue) -> bool:
    """Give a loaded model's LoRAs the strengths of ``handle``, wherever its weights are; False, and nothing
    is changed, if more than that is to be done.
    """
    was = loaded.handle
    if (was.parts, was.embeddings) != (handle.parts, handle.embeddings) or loaded.additions is None:
        return False
    try:
        loras, _ = additions_of(handle, catalogue)
    except DiptychError:
        return False  # it is said where the files are read
    if not loaded.additions.adjust(loras):
        return False
    loaded.handle = was.replace(loras=handle.loras)
    told = zip(loaded.card.get("loras", ()), handle.loras, strict=True)  # their hashes stay
    loaded.card["loras"] = [
        {**story, "strength": lora.strength, "text_strength": lora.text_strength} for story, lora in told
    ]
    return True


def strip(loaded: LoadedDiffusion) -> None:
    """Take all LoRAs and embeddings from a loaded model."""
    assert loaded.additions is not None
    loaded.additions.restore()
    _told(loaded)


def _told(loaded: LoadedDiffusion) -> None:
    """What is told of a loaded model, without any additions."""
    loaded.handle = loaded.handle.replace(loras=(), embeddings=())
    for name in ("loras", "embeddings"):
        loaded.card.pop(name, None)
