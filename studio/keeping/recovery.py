"""What a start does with what the last session left: go on with its document, tidy up behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from pathlib import Path

from pipelines import paths
from pipelines.errors import DiptychError, GraphDamaged
from pipelines.files import is_folder, sweep_temporary
from pipelines.graph.assets import AssetStore
from pipelines.graph.salvage import Salvaged, salvage, why
from pipelines.graph.storage import Stored, read_any, read_data
from studio.documents.document import GraphDocument
from studio.documents.sheet import Sheet
from studio.keeping import session_files
from studio.keeping.backups import Backups
from studio.keeping.journal import State

SHOWN = 8
"""So many lost nodes are named."""


def sheet_of(document: GraphDocument, state: State) -> Sheet | None:
    """A document of last time, to be shown by ``document``; ``None`` if there is nothing to show.

    What was not saved is as it was, and still belongs to its file. What was saved is read from the file,
    which somebody may have changed since.
    """
    path = Path(state.path) if state.path else None
    stored = _read(path) if path is not None else None
    if path is not None and stored is not None and not state.modified:
        same = stored.graph.dumps() == state.graph.dumps()
        with contextlib.suppress(DiptychError):
            sheet = document.read(path)
            sheet.from_elsewhere = state.from_elsewhere or not same
            return sheet
    if not state.graph.nodes:
        return None
    name = path.stem if path is not None else state.name
    if stored is None:
        sheet = document.sheet_of(state.graph, {}, name=name)
    else:
        sheet = document.sheet_of(state.graph, stored.assets, name=name, path=path, stamp=state.stamp)
    if state.modified or stored is not None or path is not None:
        sheet.undo_stack.resetClean()
    sheet.from_elsewhere = state.from_elsewhere
    return sheet


def _read(path: Path) -> Stored | None:
    try:
        return read_any(read_data(path), path.name)
    except (DiptychError, ValueError):
        return None


def rescue(path: Path) -> tuple[Salvaged, GraphDamaged]:
    """What can be read of a damaged file, and what to say about it. For worker threads.

    Raises:
        FileMissing, GraphUnreadable, GraphFromTheFuture: nothing can.
    """
    data = read_data(path)
    found = salvage(data, path.name)
    named = ", ".join(found.lost[:SHOWN]) + ("…" if len(found.lost) > SHOWN else "")
    lost = f"Missing: {named}." if named else "All of its nodes are there."
    return found, GraphDamaged(name=path.name, reason=why(data, path.name), lost=lost)


def tidy(
    folder: Path, store: AssetStore, backups: Backups, used: Collection[str], others: Iterable[Path]
) -> None:
    """Remove what killed programs left, backups beyond the limits, and pixels that nothing names any more.
    For worker threads.

    Args:
        used: the assets of the documents that are open.
        others: folders that Diptych has written to.
    """
    own = (folder, backups.folder, store.folder, paths.data_dir(), paths.config_dir())
    session_files.forget_single(folder)
    for place in {*own, *others}:
        sweep_temporary(place)
    for place in (backups.folder, store.folder):
        for inner in place.iterdir() if is_folder(place) else ():
            sweep_temporary(inner)
    backups.sweep()
    store.sweep(set(used) | session_files.named_assets(folder) | backups.assets())
