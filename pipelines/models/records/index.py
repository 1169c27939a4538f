"""What is known of models, kept between starts: one SQLite file that several processes use at once.

Four tables: what a file was found to be (by path and state, made again when either changes), the digests of
files, when each was used last, and what the user noted of a model. That belongs to the content, by its
sha256: it survives a move and another name. A file that is damaged is put aside; what can be saved of the
notes goes into the new one.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from blake3 import blake3

NAME: Final = "models.sqlite"
SCHEMA: Final = 1
RECORDS: Final = 3
"""Version of the form of what is kept of a file; another one makes all of it anew."""
_FINDING: Final = (
    "families", "files", "networks", "pipeline_classes", "probing", "quantized", "records", "signatures",
)  # fmt: skip
"""The rooms whose code finds out what is kept of a file."""

_BUSY_SECONDS: Final = 10.0
_ATTEMPTS: Final = 5
_PAUSE: Final = 0.1
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS models (path TEXT PRIMARY KEY, state TEXT NOT NULL, record TEXT NOT NULL,
    told TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS digests (path TEXT PRIMARY KEY, state TEXT NOT NULL, sha256 TEXT NOT NULL,
    blake3 TEXT NOT NULL, autov1 TEXT NOT NULL, autov3 TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (content TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uses (path TEXT PRIMARY KEY, time REAL NOT NULL) WITHOUT ROWID;
"""


class Row(NamedTuple):
    """What is known of one file: its state when it was examined, the record of that, and what is told of it
    (both as JSON).
    """

    path: str
    state: str
    record: str
    told: str


@dataclass(frozen=True, slots=True)
class Digests:
    """The hashes a model file is known by, in hexadecimal digits.

    ``sha256`` of the whole file; A1111 shows ten digits of it (:attr:`short`), and once showed eight of one
    piece (``autov1``). ``autov3``: twelve digits of the sha256 of what lies behind a safetensors header,
    which an edit of the metadata leaves alone; empty for other files. ``blake3`` of the whole file.
    """

    sha256: str
    blake3: str = ""
    autov1: str = ""
    autov3: str = ""

    @property
    def short(self) -> str:
        return self.sha256[:10]


@dataclass(frozen=True, slots=True)
class Notes:
    """What a user noted of a model; ``defaults``: param name -> value, taken over when it is chosen."""

    text: str = ""
    tags: tuple[str, ...] = ()
    favourite: bool = False
    trigger_words: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Notes:
        """What was written of one; what isn't known is ignored."""
        known: dict[str, Any] = {item.name: data[item.name] for item in fields(cls) if item.name in data}
        lists = {name: tuple(value) for name, value in known.items() if type(value) is list}
        return cls(**(known | lists))


Result = TypeVar("Result")


class ModelIndex:
    """The file; ``path`` None keeps everything in memory. Safe to use from several threads."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._connection = self._open()

    def records(self) -> dict[str, Row]:
        """What is known of every file, by its path."""
        sql = "SELECT path, state, record, told FROM models"
        return {row[0]: Row(*row) for row in self._rows(sql)}

    def store(self, rows: Iterable[Row]) -> None:
        """Keep what is known of files; what was known of these paths before is replaced."""
        kept = list(rows)

        def write(base: sqlite3.Connection) -> None:
            base.executemany("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?)", kept)

        self._try(write, None)

    def forget(self, paths: Iterable[str]) -> None:
        """Drop what is known of files that are gone. What the user noted stays."""
        rows = [(path,) for path in paths]

        def drop(base: sqlite3.Connection) -> None:
            base.executemany("DELETE FROM models WHERE path = ?", rows)
            base.executemany("DELETE FROM digests WHERE path = ?", rows)

        self._try(drop, None)

    def digests(self) -> dict[str, tuple[str, Digests]]:
        """Path -> state and digests of every file that was hashed."""
        sql = "SELECT path, state, sha256, blake3, autov1, autov3 FROM digests"
        return {path: (state, Digests(*found)) for path, state, *found in self._rows(sql)}

    def store_digests(self, path: str, state: str, digests: Digests) -> None:
        """Keep the digests of a file in this state."""
        row = (path, state, digests.sha256, digests.blake3, digests.autov1, digests.autov3)
        self._do("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?, ?)", row)

    def notes(self) -> dict[str, Notes]:
        """sha256 -> what the user noted."""
        found: dict[str, Notes] = {}
        for content, record in self._rows("SELECT content, record FROM notes"):
            with suppress(ValueError, TypeError, AttributeError):
                found[content] = Notes.from_json(json.loads(record))
        return found

    def store_notes(self, content: str, notes: Notes) -> None:
        """Keep what the user noted of the model with this sha256; empty notes are dropped."""
        if notes == Notes():
            self._do("DELETE FROM notes WHERE content = ?", (content,))
        else:
            record = json.dumps(asdict(notes), ensure_ascii=False)
            self._do("INSERT OR REPLACE INTO notes VALUES (?, ?)", (content, record))

    def uses(self) -> dict[str, float]:
        """Path -> when the model was used last, in seconds since 1970."""
        return dict(self._rows("SELECT path, time FROM uses"))

    def store_use(self, path: str, when: float) -> None:
        """Keep when a model was used."""
        self._do("INSERT OR REPLACE INTO uses VALUES (?, ?)", (path, when))

    def close(self) -> None:
        """Close the file. Nothing may be asked of the index afterwards."""
        with self._lock:
            self._connection.close()

    # --- the file -----------------------------------------------------------------------------------------

    def _rows(self, sql: str) -> list[Any]:
        def read(base: sqlite3.Connection) -> list[Any]:
            return base.execute(sql).fetchall()

        return self._try(read, [])

    def _do(self, sql: str, row: tuple[str | float, ...]) -> None:
        def write(base: sqlite3.Connection) -> None:
            base.execute(sql, row)

        self._try(write, None)

    def _try(self, work: Callable[[sqlite3.Connection], Result], otherwise: Result) -> Result:
        """Do something in one transaction; a damaged file is replaced and the work done once more."""
        with self._lock:
            try:
                with self._connection:
                    return work(self._connection)
            except sqlite3.OperationalError:  # another process holds it for long, or the disk is full
                return otherwise
            except sqlite3.DatabaseError:
                self._connection = self._replaced()
                with suppress(sqlite3.Error), self._connection:
                    return work(self._connection)
                return otherwise

    def _open(self) -> sqlite3.Connection:
        for _ in range(_ATTEMPTS):
            try:
                return self._connect()
            except sqlite3.OperationalError:  # another process is making it; or it can't be written to
                time.sleep(_PAUSE)
            except sqlite3.DatabaseError:
                return self._replaced()
            except OSError:
                break
        return _in_memory()

    def _connect(self) -> sqlite3.Connection:
        if self._path is None:
            return _in_memory()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, check_same_thread=False)
        try:
            return _prepared(connection)
        except sqlite3.Error:
            connection.close()
            raise

    def _replaced(self) -> sqlite3.Connection:
        """A new file in the place of a damaged one, with the notes that could be read."""
        if self._path is None:
            return self._connect()
        saved = _salvaged(self._path)
        with suppress(AttributeError, sqlite3.Error):
            self._connection.close()
        stamp = time.strftime("%Y%m%d-%H%M%S")
        for ending in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self._path}{ending}").replace(f"{self._path}.damaged-{stamp}{ending}")
        try:
            connection = self._connect()
        except (sqlite3.Error, OSError):
            return _in_memory()
        with suppress(sqlite3.Error), connection:
            connection.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?)", saved)
        return connection


def _in_memory() -> sqlite3.Connection:
    return _prepared(sqlite3.connect(":memory:", check_same_thread=False))


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection with the tables of this version; what an older one kept of files is dropped."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    with connection:
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
        if schema > SCHEMA:  # written by a newer program: nothing of it is touched
            raise sqlite3.OperationalError("a newer index")
        connection.executescript(_TABLES)
        kept = connection.execute("SELECT value FROM facts WHERE name = 'records'").fetchone()
        version = _version()
        if kept is None or kept[0] != version:
            connection.execute("DROP TABLE IF EXISTS models")  # its form may be an older one, too
            connection.executescript(_TABLES)
            connection.execute("INSERT OR REPLACE INTO facts VALUES ('records', ?)", (version,))
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
    return connection


@cache
def _version() -> str:
    """Version of what is kept of a file: a digest of the code that finds it out, so that a family that can be
    opened since an update isn't refused by what was kept before.
    """
    digest = blake3(str(RECORDS).encode())
    models = Path(__file__).parents[1]
    for path in sorted(path for room in _FINDING for path in (models / room).glob("*.py")):
        with suppress(OSError):
            digest.update(path.read_bytes())
    return digest.hexdigest(16)


def _salvaged(path: Path) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
        for row in connection.execute("SELECT content, record FROM notes"):
            found.append((str(row[0]), str(row[1])))
    return found
