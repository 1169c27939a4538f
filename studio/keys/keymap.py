"""The keys in force: what commands have of themselves, what the chosen set says, what the user changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QKeyCombination, QObject, Signal, Slot
from PySide6.QtGui import QKeyEvent

from studio.keys.gestures import GESTURE_TABLE, Bindings, Gesture, gesture_of, read_triggers
from studio.keys.latin import normal, readings, text_of
from studio.keys.sets import KeySet, key_set
from studio.settings import SettingsStore

Keys = tuple[str, ...]


class Scope(StrEnum):
    """Where keys count. The same key may mean something else in each; what has the focus is asked first."""

    WINDOW = "window"
    GRAPH = "graph"
    CANVAS = "canvas"


@dataclass(frozen=True, slots=True)
class Entry:
    """A command that can have keys. ``title`` and ``menu`` are source texts; ``keys``: what it has itself."""

    id: str
    title: str
    menu: str
    scope: Scope
    keys: Keys = ()


NEEDED = {
    Scope.WINDOW: ("Tab", "Shift+Tab", "Escape", "Return", "Enter", "Space", "Left", "Right", "Up", "Down"),
    Scope.GRAPH: ("Shift+Tab", "Escape"),
    Scope.CANVAS: ("Tab", "Shift+Tab", "Escape", "Space"),
}
"""Keys that move about and get out of things: they stay what they are."""


def resolved(entries: Iterable[Entry], layers: Sequence[Mapping[str, Keys]]) -> dict[str, Keys]:
    """The keys of each entry: from the first layer that has it, less the keys that an earlier layer gave to
    another of its scope."""
    entries = list(entries)
    result: dict[str, Keys] = {}
    claimed: dict[tuple[Scope, str], str] = {}
    for layer in layers:
        for entry in entries:
            if entry.id in layer and entry.id not in result:
                wanted = dict.fromkeys(normal(key) for key in layer[entry.id])
                mine = [
                    key for key in wanted if key and claimed.get((entry.scope, key), entry.id) == entry.id
                ]
                claimed.update({(entry.scope, key): entry.id for key in mine})
                result[entry.id] = tuple(mine)
    return result


class Keymap(QObject):
    """``changed`` when keys or gestures are others than before. Without ``settings`` it isn't kept."""

    changed = Signal()

    def __init__(self, settings: SettingsStore | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings if settings is not None else SettingsStore(None, self)
        self._entries: dict[str, Entry] = {}
        self._seen = self._state()
        self._force: dict[str, Keys] | None = None
        self._found: dict[tuple[Scope, str], str] = {}
        self._bindings: Bindings | None = None
        self._settings.changed.connect(self._settings_changed)

    def _state(self) -> tuple[object, ...]:
        values = self._settings.values
        return values.key_set, values.keys, values.gestures

    @Slot()
    def _settings_changed(self) -> None:
        state = self._state()
        if state != self._seen:
            self._seen = state
            self._forget()
            self.changed.emit()

    def _forget(self) -> None:
        self._force, self._bindings = None, None

    # --- what there is ---------------------------------------------------------------------------------

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All commands that keys can have."""
        return tuple(self._entries.values())

    def entry(self, id: str) -> Entry:
        return self._entries[id]

    def add(self, *entries: Entry) -> None:
        """Make commands known; one that is known already is replaced."""
        self._entries.update({entry.id: entry for entry in entries})
        self._forget()

    @property
    def key_set(self) -> KeySet:
        """The chosen set."""
        return key_set(self._settings.values.key_set)

    def choose(self, id: str) -> None:
        """Take another set; what the user changed stays."""
        self._settings.change(key_set=id)

    # --- keys ------------------------------------------------------------------------------------------

    def _layers(self, own: Mapping[str, Keys]) -> list[Mapping[str, Keys]]:
        return [own, self.key_set.keys, {entry.id: entry.keys for entry in self._entries.values()}]

    def _resolve(self) -> dict[str, Keys]:
        if self._force is None:
            self._force = resolved(self._entries.values(), self._layers(self._settings.values.keys))
            self._found = {
                (self._entries[id].scope, key): id for id, keys in self._force.items() for key in keys
            }
        return self._force

    def keys(self, id: str) -> Keys:
        """The keys of a command, the first one to be shown, in Qt's portable notation."""
        return self._resolve().get(id, ())

    def _given(self, id: str, own: Mapping[str, Keys]) -> Keys:
        """The keys that a command would have if the user had not changed its own, but these."""
        others = {other: keys for other, keys in own.items() if other != id}
        return resolved(self._entries.values(), self._layers(others)).get(id, ())

    def is_changed(self, id: str) -> bool:
        """Whether the user changed the keys of a command."""
        return id in self._settings.values.keys

    def command_for(self, scope: Scope, event: QKeyEvent) -> str:
        """The command that an event is meant for, on any layout; empty for none."""
        return next((id for keys in readings(event) if (id := self.find(scope, keys))), "")

    def find(self, scope: Scope, keys: QKeyCombination) -> str:
        """The command that has exactly these keys; empty for none."""
        self._resolve()
        return self._found.get((scope, text_of(keys)), "")

    def holder(self, id: str, key: str) -> Entry | None:
        """Who else has a key where ``id`` would have it."""
        self._resolve()
        found = self._found.get((self._entries[id].scope, normal(key)), "")
        return self._entries[found] if found and found != id else None

    def elsewhere(self, id: str, key: str) -> list[Entry]:
        """Who has a key where other keys count: no conflict, but worth knowing."""
        self._resolve()
        mine = self._entries[id].scope
        found = (self._found.get((scope, normal(key)), "") for scope in Scope if scope != mine)
        return [self._entries[other] for other in found if other]

    def is_needed(self, id: str, key: str) -> bool:
        """Whether a key has to stay what it is, where ``id`` would have it."""
        entry = self._entries[id]
        needed = [normal(text) for text in NEEDED[entry.scope]]
        return normal(key) in needed and normal(key) not in map(normal, entry.keys)

    def bind(self, id: str, keys: Iterable[str]) -> None:
        """Give a command these keys; whichever other command has one of them loses it."""
        wanted = tuple(dict.fromkeys(text for key in keys if (text := normal(key))))
        own = dict(self._settings.values.keys)
        losers = {other.id for key in wanted if (other := self.holder(id, key)) is not None} & set(own)
        own[id] = wanted
        for other_id in losers:
            own[other_id] = tuple(key for key in own[other_id] if normal(key) not in wanted)
        for changed in (*losers, id):
            if tuple(map(normal, own[changed])) == self._given(changed, own):
                del own[changed]
        self._settings.change(keys=own)

    def reset(self, id: str) -> None:
        """Give a command back the keys of the set."""
        own = {other: keys for other, keys in self._settings.values.keys.items() if other != id}
        self._settings.change(keys=own)

    def reset_all(self) -> None:
        """Forget all changes to commands and gestures that are known here."""
        values = self._settings.values
        table = {gesture.id for gesture in GESTURE_TABLE}
        keys = {id: keys for id, keys in values.keys.items() if id not in self._entries}
        gestures = {id: texts for id, texts in values.gestures.items() if id not in table}
        self._settings.change(keys=keys, gestures=gestures)

    @property
    def has_changes(self) -> bool:
        """Whether :meth:`reset_all` would change anything."""
        values, table = self._settings.values, {gesture.id for gesture in GESTURE_TABLE}
        return any(id in self._entries for id in values.keys) or any(id in table for id in values.gestures)

    # --- gestures --------------------------------------------------------------------------------------

    @property
    def gestures(self) -> Bindings:
        """What begins each gesture now."""
        if self._bindings is None:
            texts = {**self.key_set.gestures, **self._settings.values.gestures}
            table = {gesture.id for gesture in GESTURE_TABLE}
            self._bindings = Bindings({id: read_triggers(texts[id]) for id in texts if id in table})
        return self._bindings

    def gesture_texts(self, id: str) -> Keys:
        """The triggers of a gesture as texts."""
        return tuple(trigger.text for trigger in self.gestures.triggers(id))

    def is_gesture_changed(self, id: str) -> bool:
        return id in self._settings.values.gestures

    def gesture_holder(self, id: str, text: str) -> Gesture | None:
        """Which other gesture begins with a trigger where ``id`` would begin with it."""
        mine = set(gesture_of(id).places)
        for other in GESTURE_TABLE:
            if other.id != id and mine & set(other.places) and text in self.gesture_texts(other.id):
                return other
        return None

    def bind_gesture(self, id: str, texts: Iterable[str]) -> None:
        """Let a gesture begin with these triggers; whichever other has one of them loses it."""
        wanted = tuple(dict.fromkeys(trigger.text for trigger in read_triggers(texts)))
        own = dict(self._settings.values.gestures)
        for text in wanted:
            while (other := self._loser(id, text, own)) is not None:
                own[other] = tuple(one for one in self._texts(other, own) if one != text)
        own.pop(id, None)
        if wanted != self._texts(id, own):
            own[id] = wanted
        self._settings.change(gestures=own)

    def _loser(self, id: str, text: str, own: Mapping[str, Keys]) -> str | None:
        mine = set(gesture_of(id).places)
        others = (one for one in GESTURE_TABLE if one.id != id and mine & set(one.places))
        return next((one.id for one in others if text in self._texts(one.id, own)), None)

    def _texts(self, id: str, own: Mapping[str, Keys]) -> Keys:
        given = self.key_set.gestures.get(id, gesture_of(id).triggers)
        return tuple(trigger.text for trigger in read_triggers(own.get(id, given)))

    def reset_gesture(self, id: str) -> None:
        """Let a gesture begin again as the set says."""
        own = {other: texts for other, texts in self._settings.values.gestures.items() if other != id}
        self._settings.change(gestures=own)
