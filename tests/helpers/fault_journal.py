"""Children killed while they keep a document: ``python -m tests.helpers.fault_journal FOLDER ROUNDS``.

One process imports what is needed and forks a child a round. The child edits, writes the journal, saves and
backs up as fast as it can, and counts in a shared page; it is killed at a random moment. One JSON line a
round says what was counted and what was found afterwards.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path

from pipelines.errors import DiptychError
from pipelines.files import atomic_write
from pipelines.graph.document import Graph, NodeRecord
from studio.keeping import journal
from studio.keeping.backups import Backups
from studio.keeping.journal import JournalWriter, State, read

COUNTS = struct.Struct("<QQQ")
"""States written, documents saved, backups put."""


def number_of(graph: Graph) -> int:
    return int(graph.nodes["n"].params["number"])


def work(folder: Path, counts: mmap.mmap) -> None:
    """Edit and keep, for ever."""
    graph = Graph().with_node("n", NodeRecord.new("a.b", params={"number": 0, "text": "x" * 20_000}))
    writer, backups = JournalWriter(folder), Backups(folder / "backups")
    journal.MAX_RECORDS = 6  # so that beginning anew is met often, too
    saved = kept = number = 0
    while True:
        number += 1
        graph = graph.with_param("n", "number", number)
        writer.write(State(graph, float(number)))
        counts[: COUNTS.size] = COUNTS.pack(number, saved, kept)
        if number % 2 == 0:
            atomic_write(folder / "document.json", graph.dumps())
            saved = number
        if number % 3 == 0:
            backups.put("k", graph, "timed", now=1e9 + number * 700)
            kept = number
        counts[: COUNTS.size] = COUNTS.pack(number, saved, kept)


def found_in(folder: Path) -> dict[str, object]:
    """What a start would find."""
    states = read(folder / journal.NAME).states
    document = folder / "document.json"
    readable = []
    for version in Backups(folder / "backups").versions("k"):
        try:
            readable.append(number_of(version.read()))
        except DiptychError:
            readable.append(-1)
    return {
        "journal": number_of(states[-1].graph) if states else 0,
        "document": number_of(Graph.loads(document.read_bytes())) if document.exists() else 0,
        "backups": readable,
    }


def main(folder: Path, rounds: int) -> None:
    draw = random.Random()
    for number in range(rounds):
        place = folder / str(number)
        place.mkdir()
        counts = mmap.mmap(-1, COUNTS.size)
        child = os.fork()
        if child == 0:
            work(place, counts)
        time.sleep(draw.uniform(0.0, 0.2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        written, saved, kept = COUNTS.unpack(counts[: COUNTS.size])
        print(json.dumps({"written": written, "saved": saved, "kept": kept, **found_in(place)}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
