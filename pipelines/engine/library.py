"""The models as the engine serves them: listed and watched, noted, hashed, converted, taken in, removed.

What reads whole files is done one after another by a thread of its own, so that pictures are saved meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.engine.protocol import (
    ConvertModel,
    DescribeModel,
    Duplicates,
    Failure,
    FindDuplicates,
    HashModel,
    ImportModel,
    ListModels,
    Message,
    ModelConverted,
    ModelDescribed,
    ModelImported,
    ModelInfo,
    ModelProgress,
    ModelRemoved,
    Models,
    ModelTold,
    ModelWorkStopped,
    NoteModel,
    RemoveModel,
    SetModelFolders,
    StopModelWork,
)
from pipelines.engine.refs import error_data
from pipelines.errors import Cancelled, ModelMissing, ModelThereAlready, describe
from pipelines.graph.node import FlagToken
from pipelines.models.access import Models as ModelStore
from pipelines.models.files.header import read_header
from pipelines.models.records.entries import with_notes

if TYPE_CHECKING:
    from pipelines.models.catalogue.catalogue import Scan
    from pipelines.models.catalogue.library import How, Library
    from pipelines.models.catalogue.watching import Watch
    from pipelines.models.records.index import Notes

PART: Final = 200
"""Models in one message: reading a long list at once would hold up who reads it."""
MAX_TEXT: Final = 4_000
"""Characters that are told of one text of a header."""
MAX_FACTS: Final = 200
REQUESTS: Final = (
    ListModels, SetModelFolders, DescribeModel, NoteModel, HashModel, ConvertModel, RemoveModel,
    ImportModel, FindDuplicates, StopModelWork,
)  # fmt: skip
"""What :meth:`ModelService.serve` answers."""


class ModelService:
    """``submit`` does work in the engine's lane for files; ``models`` is the user's own folder.

    The folders are watched from the first list on: what changes is told without a request.
    """

    def __init__(
        self,
        store: ModelStore,
        models: Path,
        emit: Callable[[Message], None],
        submit: Callable[[str, Callable[[], None]], None],
    ) -> None:
        self._store, self._models = store, models
        self._emit, self._submit = emit, submit
        self._listed: dict[str, ModelInfo] = {}
        self._also: tuple[str, ...] = ()
        self._tokens: dict[str, FlagToken] = {}
        self._readers: ThreadPoolExecutor | None = None
        self._watch: Watch | None = None
        self._lock = threading.Lock()
        self._closed = False

    def serve(self, request: Message) -> None:
        """Take up a request; returns at once. Called from one thread."""
        match request:
            case StopModelWork():
                token = self._tokens.get(request.request)
                if token is not None:
                    token.cancel()
            case NoteModel() if not self._is_hashed(request.path):
                self._read(request)
            case HashModel() | ConvertModel() | ImportModel() | FindDuplicates():
                self._read(request)
            case _:
                name = str(getattr(request, "request", ""))
                self._submit(name, lambda: self._answer(request, FlagToken()))

    def finish(self) -> None:
        """Wait for what was taken up."""
        with self._lock:
            readers, self._readers = self._readers, None
        if readers is not None:
            readers.shutdown(wait=True)

    def close(self) -> None:
        """End all work, and the watch."""
        with self._lock:
            self._closed = True
            readers, watch, self._readers, self._watch = self._readers, self._watch, None, None
        for token in list(self._tokens.values()):
            token.cancel()
        if readers is not None:
            readers.shutdown(wait=False, cancel_futures=True)
        if watch is not None:
            watch.close()

    # --- work ----------------------------------------------------------------------------------------------

    def _read(self, request: Any) -> None:
        token = self._tokens[request.request] = FlagToken()
        with self._lock:
            if self._readers is None:
                self._readers = ThreadPoolExecutor(1, thread_name_prefix="diptych-library")
            self._readers.submit(self._work, request, token)

    def _work(self, request: Any, token: FlagToken) -> None:
        try:
            token.check()
            self._answer(request, token)
        except Cancelled:
            self._emit(ModelWorkStopped(request=request.request))
        except Exception as error:  # noqa: BLE001 - whatever happens to one file, the next is read
            self._emit(Failure(request=request.request, error=error_data(describe(error))))
        finally:
            self._tokens.pop(request.request, None)

    def _answer(self, request: Message, token: FlagToken) -> None:
        match request:
            case ListModels():
                self._also = request.also
                self._list(request.request)
            case SetModelFolders():
                self._store.search_in(self._models, request.folders)
                self._list(request.request)
            case DescribeModel():
                self._emit(_described(request))
            case NoteModel():
                self._note(request, token)
            case HashModel():
                self._hash(request, token)
            case ConvertModel():
                self._convert(request, token)
            case ImportModel():
                self._import(request, token)
            case RemoveModel():
                gone = self._library().remove(self._known(request.path).path)
                files = tuple(map(str, gone))
                self._emit(ModelRemoved(request=request.request, path=request.path, files=files))
            case FindDuplicates():
                groups = self._library().duplicates(token)
                paths = tuple(tuple(info.path for info in group) for group in groups)
                self._emit(Duplicates(request=request.request, groups=paths))

    # --- lists ---------------------------------------------------------------------------------------------

    def _list(self, request: str) -> None:
        def tell(scan: Scan) -> None:
            if scan.folder:
                self._emit(
                    ModelProgress(request=request, phase="searching", path=scan.folder, done=scan.total)
                )

        found = self._store.list(tell)
        self._tell(request, found)
        with self._lock:
            if self._watch is None and not self._closed:
                from pipelines.models.catalogue.watching import Watch

                self._watch = Watch(self._store.catalogue, lambda now: self._tell("", now), known=found)

    def _tell(self, request: str, found: tuple[ModelInfo, ...]) -> None:
        """Say which models there are, and those at the paths asked about that aren't among them."""
        known = {info.path: info for info in found}
        for path in self._also:
            if path not in known:
                info = self._store.examine(path)
                known.setdefault(info.path, info)
        self._listed = known
        models = tuple(known.values())
        for start in range(0, max(len(models), 1), PART):
            part, more = models[start : start + PART], start + PART < len(models)
            self._emit(Models(request=request, models=part, more=more))

    # --- one model -----------------------------------------------------------------------------------------

    def _library(self) -> Library:
        from pipelines.models.catalogue.library import Library

        return Library(self._store.catalogue)

    def _known(self, path: str) -> ModelInfo:
        """What was listed under a path. Raises :class:`ModelMissing`."""
        info = self._listed.get(path)
        if info is None:
            raise ModelMissing(model=path)
        return info

    def _is_hashed(self, path: str) -> bool:
        info = self._listed.get(path)
        return info is not None and bool(info.sha256)

    def _progress(self, request: str, phase: Any, path: str) -> Callable[[int, int], None]:
        """Tells of bytes, a hundred times for a file at most."""
        told = -1

        def tell(done: int, total: int) -> None:
            nonlocal told
            percent = 100 * done // max(total, 1)
            if percent != told:
                told = percent
                self._emit(ModelProgress(request=request, phase=phase, path=path, done=done, total=total))

        return tell

    def _note(self, request: NoteModel, token: FlagToken) -> None:
        info, library = self._known(request.path), self._library()
        path = Path(info.path)
        library.hash(path, token, self._progress(request.request, "hashing", info.path))
        library.note(path, _noted(library.notes(path), request), token)
        self._emit(ModelTold(request=request.request, model=self._again(info)))

    def _hash(self, request: HashModel, token: FlagToken) -> None:
        info, library = self._known(request.path), self._library()
        path = Path(info.path)
        if not request.verify:
            library.hash(path, token, self._progress(request.request, "hashing", info.path))
            self._emit(ModelTold(request=request.request, model=self._again(info)))
            return
        found = library.verify(path, token, self._progress(request.request, "verifying", info.path))
        self._emit(
            ModelTold(
                request=request.request, model=self._again(info), checked=True, compared=found.compared,
                fault=found.problem,
            )
        )  # fmt: skip

    def _again(self, info: ModelInfo) -> ModelInfo:
        """A model with the hashes and notes that are kept of it now. What the list alone knows stays."""
        path = Path(info.path)
        digests = self._library().known_digests(path)
        fresh = self._store.catalogue.find(info.kind, info.id).info
        told = with_notes(fresh, digests, self._store.catalogue.index.notes())
        names = ("sha256", "blake3", "autov1", "autov3", "notes", "user_tags", "favourite", "trigger_words",
                 "defaults")  # fmt: skip
        changed = info.model_copy(update={name: getattr(told, name) for name in names})
        self._listed[info.path] = changed
        return changed

    def _convert(self, request: ConvertModel, token: FlagToken) -> None:
        from pipelines.models.convert.conversion import convert

        path = request.path
        made = convert(Path(path), cancel=token, progress=self._progress(request.request, "converting", path))
        self._emit(
            ModelConverted(
                request=request.request, path=path, target=str(made.path), dropped=made.dropped,
                doubtful=made.doubtful,
            )
        )  # fmt: skip

    def _import(self, request: ImportModel, token: FlagToken) -> None:
        source, tell = Path(request.path), self._progress(request.request, "importing", request.path)
        # A second name costs no space. Of a link, as in the Hugging Face cache, the content is wanted.
        how: How = "copy" if source.is_symlink() else "link"
        already = False
        try:
            target = str(self._library().take_in(source, self._models, how, token, tell))
        except ModelThereAlready as error:
            target, already = str(error.arguments["path"]), True
        self._emit(ModelImported(request=request.request, path=request.path, target=target, already=already))


def _noted(before: Notes, request: NoteModel) -> Notes:
    """The notes with what a request changes of them."""
    names: dict[str, Any] = {
        "text": request.text, "tags": request.tags, "favourite": request.favourite,
        "trigger_words": request.trigger_words, "defaults": request.defaults,
    }  # fmt: skip
    return replace(before, **{name: value for name, value in names.items() if value is not None})


def _described(request: DescribeModel) -> ModelDescribed:
    """What a safetensors file says of itself; nothing for a folder or another format."""
    path = Path(request.path)
    if path.suffix != ".safetensors" or not path.is_file():
        return ModelDescribed(request=request.request, path=request.path)
    header = read_header(path)
    facts = {
        name[:200]: text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
        for name, text in sorted(header.metadata.items())[:MAX_FACTS]
    }
    return ModelDescribed(
        request=request.request, path=request.path, tensors=len(header.tensors), metadata=facts
    )
