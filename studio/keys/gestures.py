"""Every gesture of the node editor that needs a modifier or another button, in one table. Plain data.

Interactions ask :class:`Bindings` what begins them; the keyboard dialog changes it; each has a form for pen
and touchpad, a command that arms it for the next drag with the left button.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from PySide6.QtCore import Qt

Modifier: TypeAlias = Qt.KeyboardModifier
Button: TypeAlias = Qt.MouseButton
MODIFIERS: Final = {
    "Ctrl": Modifier.ControlModifier,
    "Shift": Modifier.ShiftModifier,
    "Alt": Modifier.AltModifier,
    "Meta": Modifier.MetaModifier,
}
BUTTONS: Final = {
    "LeftButton": Button.LeftButton,
    "MiddleButton": Button.MiddleButton,
    "RightButton": Button.RightButton,
}
SPACE, SHAKE = "Space", "Shake"
PRESSES: Final = ("blank", "port", "node", "wire", "frame")
"""What a gesture can begin on."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A button with modifiers, modifiers alone (held during a drag), Space held, or a shake."""

    modifiers: Modifier = Modifier.NoModifier
    button: Button = Button.NoButton
    space: bool = False
    shake: bool = False

    @classmethod
    def read(cls, text: str) -> Trigger | None:
        """``Ctrl+RightButton``, ``Alt``, ``Space+LeftButton``, ``Shake``; ``None`` for anything else."""
        modifiers, button, space, shake = Modifier.NoModifier, Button.NoButton, False, False
        for part in text.split("+"):
            if part in MODIFIERS:
                modifiers |= MODIFIERS[part]
            elif part in BUTTONS and button == Button.NoButton:
                button = BUTTONS[part]
            elif part == SPACE:
                space = True
            elif text == SHAKE:
                shake = True
            else:
                return None
        return cls(modifiers, button, space, shake)

    @property
    def text(self) -> str:
        """As :meth:`read` takes it."""
        parts = [name for name, modifier in MODIFIERS.items() if self.modifiers & modifier]
        parts += [SPACE] if self.space else []
        parts += [name for name, button in BUTTONS.items() if button == self.button]
        return SHAKE if self.shake else "+".join(parts)

    @property
    def weight(self) -> int:
        """How special it is: where several fit, the one with the most keys is meant."""
        return sum(bool(self.modifiers & modifier) for modifier in MODIFIERS.values()) + 2 * self.space

    def fits(self, button: Button, modifiers: Modifier, space: bool) -> bool:
        """Whether such a press is it; more modifiers may be held (they mean something of their own)."""
        held = (modifiers & self.modifiers) == self.modifiers
        return self.button == button != Button.NoButton and held and (space or not self.space)


@dataclass(frozen=True, slots=True)
class Gesture:
    """``title``, ``where``, ``arm`` (the command that arms it) and ``hint`` are source texts.

    ``held`` gestures are modifiers alone, which change what another drag does; ``places`` says among which
    others its triggers have to be unlike; ``by_click`` ones are done by a click, too.
    """

    id: str
    title: str
    where: str
    triggers: tuple[str, ...]
    places: tuple[str, ...]
    arm: str
    hint: str
    held: bool = False
    by_click: bool = False
    can_shake: bool = False


GESTURE_TABLE: Final[tuple[Gesture, ...]] = (
    Gesture("pan", "Move the view", "anywhere", ("MiddleButton", "Space+LeftButton"), PRESSES,
            "Move the view by a drag…", "Drag to move the view."),
    Gesture("cut", "Cut wires by a stroke", "anywhere", ("Ctrl+RightButton",), PRESSES,
            "Cut wires…", "Draw a stroke across the wires to cut."),
    Gesture("move_wires", "Move all wires of an output", "on an output", ("Ctrl+LeftButton",), ("port",),
            "Move the wires of a port…", "Drag from an output that has wires to another output."),
    Gesture("extract", "Take a node out of its chain", "on a node", ("Alt+LeftButton", SHAKE), ("node",),
            "Take out of the chain…", "Drag a node out of its chain.", can_shake=True),
    Gesture("dot", "Put a reroute dot on a wire", "on a wire", ("Alt+LeftButton",), ("wire",),
            "Add a dot…", "Click a wire, or drag it to where the dot should be.", by_click=True),
    Gesture("lasso", "Select with a lasso", "on blank canvas", ("Alt+LeftButton", "Ctrl+Shift+LeftButton"),
            ("blank",), "Select with a lasso…", "Draw a line round what to select."),
    Gesture("box", "Select with a box", "on blank canvas", ("LeftButton",), ("blank",),
            "Select with a box…", "Drag a box over what to select."),
    Gesture("add", "Add to the selection", "while selecting", ("Shift",), ("select",),
            "Add to the selection…", "Click what to add, or drag a box over it.", held=True, by_click=True),
    Gesture("toggle", "Select or deselect", "while selecting", ("Ctrl",), ("select",),
            "Select or deselect…", "Click what to change, or drag a box over it.", held=True, by_click=True),
    Gesture("frame_alone", "Move a frame without its contents", "while moving a frame", ("Alt",),
            ("move frame",), "Move a frame alone…", "Drag a frame: what is in it stays.", held=True),
    Gesture("free", "Leave grid and guides", "while moving", ("Ctrl",), ("move node", "move frame"),
            "Move without snapping…", "Drag nodes, frames or dots: nothing holds them.", held=True),
    Gesture("no_insert", "Leave wires alone", "while moving a node", ("Alt",), ("move node",),
            "Move without inserting…", "Drag a node over wires: they stay as they are.", held=True),
    Gesture("keep_shape", "Keep the picture's shape", "while resizing a thumbnail", ("Shift",), ("resize",),
            "Resize in proportion…", "Drag the corner of a thumbnail.", held=True),
)  # fmt: skip


class Bindings:
    """The triggers in force, by gesture. Immutable; a changed keymap makes another one."""

    def __init__(self, triggers: Mapping[str, Iterable[Trigger]] | None = None) -> None:
        given = triggers or {}
        self._triggers: dict[str, tuple[Trigger, ...]] = {
            gesture.id: tuple(given[gesture.id]) if gesture.id in given else defaults_of(gesture)
            for gesture in GESTURE_TABLE
        }

    def triggers(self, gesture: str) -> tuple[Trigger, ...]:
        """What begins a gesture, or changes a drag."""
        return self._triggers[gesture]

    def begun_by(self, gesture: str, button: Button, modifiers: Modifier, space: bool) -> Trigger | None:
        """The trigger of a gesture that such a press is, the most special one; ``None`` for none."""
        fitting = [one for one in self._triggers[gesture] if one.fits(button, modifiers, space)]
        return max(fitting, key=lambda one: one.weight, default=None)

    def best(
        self, place: str, button: Button, modifiers: Modifier, space: bool
    ) -> tuple[str, Trigger] | None:
        """Which gesture a press on such a place is meant for: the one whose trigger has the most keys."""
        found = [
            (gesture.id, trigger)
            for gesture in GESTURE_TABLE
            if place in gesture.places
            and (trigger := self.begun_by(gesture.id, button, modifiers, space)) is not None
        ]
        return max(found, key=lambda entry: entry[1].weight, default=None)

    def holds(self, gesture: str, modifiers: Modifier) -> bool:
        """Whether the modifiers of a gesture that is held are down."""
        return any(
            one.modifiers and (modifiers & one.modifiers) == one.modifiers for one in self._triggers[gesture]
        )

    def shakes(self, gesture: str) -> bool:
        """Whether a shake begins it."""
        return any(one.shake for one in self._triggers[gesture])

    def uses_space(self) -> bool:
        """Whether Space is held for something, so that only a tap of it is a key."""
        return any(one.space for triggers in self._triggers.values() for one in triggers)

    def uses_button(self, button: Button, modifiers: Modifier) -> bool:
        """Whether some gesture begins with that button and these modifiers (more than none)."""
        return any(
            one.weight and one.fits(button, modifiers, False)
            for triggers in self._triggers.values()
            for one in triggers
        )


def gesture_of(id: str) -> Gesture:
    """A gesture of the table."""
    return next(gesture for gesture in GESTURE_TABLE if gesture.id == id)


def defaults_of(gesture: Gesture) -> tuple[Trigger, ...]:
    """The triggers that a gesture has of itself."""
    return read_triggers(gesture.triggers)


def read_triggers(texts: Iterable[str]) -> tuple[Trigger, ...]:
    """What texts mean, without those that mean nothing here."""
    return tuple(trigger for text in texts if (trigger := Trigger.read(text)) is not None)


def suits(gesture: Gesture, trigger: Trigger) -> bool:
    """Whether a gesture can have such a trigger: held ones are modifiers alone, the others need a button."""
    if trigger.shake:
        return gesture.can_shake
    if gesture.held:
        return trigger.button == Button.NoButton and not trigger.space and bool(trigger.modifiers)
    return trigger.button != Button.NoButton
