"""Reading a pickle without running it: a machine for the opcodes of a plain state dict, and no others.

A pickle is a program for a stack machine. This one knows how to make numbers, text, tuples, lists and dicts,
and has records instead of PyTorch's tensors. It imports nothing and calls nothing: the few names that a state
dict needs are looked up in a table of our own functions. Anything else ends it, with the opcode or the name.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from pipelines.models.convert.faults import Damaged, Refused, TooLarge
from pipelines.models.convert.names import NAMES, Name, fill
from pipelines.models.convert.tensors import Storage
from pipelines.models.files.pickles import CutShort, NoPickle, Opcode, read_opcode

MAX_OPCODES: Final = 8_000_000
"""A state dict of 50,000 tensors has about three million."""
MAX_MARKS: Final = 1_000
MAX_INTEGER_BYTES: Final = 16

Keep = Callable[[Any], Storage]


class Machine:
    """Reads one pickle from ``data``, beginning at ``at``; afterwards ``at`` is behind its end.

    ``storage`` makes a storage of what PyTorch calls a persistent id.
    """

    def __init__(self, data: bytes, storage: Keep, at: int = 0) -> None:
        self.at = at
        self._data = data
        self._storage = storage
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """What the pickle describes: numbers, text, ``None``, tuples, lists, dicts, tensors and storages.

        Raises:
            Refused: it holds an opcode or asks for a name that a plain state dict doesn't need.
            Damaged: it is no pickle, or a broken one.
            TooLarge: it doesn't come to an end within the bounds.
        """
        for _ in range(MAX_OPCODES):
            try:
                opcode, argument, self.at = read_opcode(self._data, self.at)
            except NoPickle as error:
                raise Damaged(str(error)) from error
            except CutShort as error:
                raise Damaged("it ends too early") from error
            if opcode.name == "STOP":
                return self._result()
            action = _ACTIONS.get(opcode.name)
            if action is None:
                raise Refused(f"the opcode {opcode.name}")
            action(self, opcode, argument)
        raise TooLarge(f"it has more than {MAX_OPCODES:,} opcodes")

    def _result(self) -> Any:
        if self._marks or len(self._stack) != 1:
            raise Damaged("it doesn't end with one value")
        return self._stack.pop()

    # --- the stack ------------------------------------------------------------------------------------------

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack:
            raise Damaged("it takes a value that isn't there")
        return self._stack.pop()

    def _top(self, kind: type[Any], opcode: Opcode) -> Any:
        if not self._stack or not isinstance(self._stack[-1], kind):
            raise Refused(f"the opcode {opcode.name} on something else than a {kind.__name__}")
        return self._stack[-1]

    def _mark(self, _: Opcode, __: bytes) -> None:
        if len(self._marks) >= MAX_MARKS:
            raise TooLarge("its parts lie too deep in one another")
        self._marks.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        if not self._marks:
            raise Damaged("it takes values that aren't there")
        items, self._stack = self._stack, self._marks.pop()
        return items

    # --- plain values ---------------------------------------------------------------------------------------

    def _proto(self, _: Opcode, argument: bytes) -> None:
        if argument[0] > 5:
            raise Refused(f"protocol {argument[0]}")

    def _frame(self, _: Opcode, __: bytes) -> None:
        return  # it only says how much to read at once

    def _constant(self, opcode: Opcode, _: bytes) -> None:
        self._push({"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}[opcode.name])

    def _integer(self, opcode: Opcode, argument: bytes) -> None:
        if len(argument) > MAX_INTEGER_BYTES:
            raise Refused(f"a number of {len(argument)} bytes")
        self._push(int.from_bytes(argument, "little", signed=opcode.name in ("BININT", "LONG1")))

    def _float(self, _: Opcode, argument: bytes) -> None:
        self._push(struct.unpack(">d", argument)[0])

    def _text(self, _: Opcode, argument: bytes) -> None:
        try:
            self._push(argument.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise Damaged("a text in it is not UTF-8") from error

    # --- tuples, lists, dicts -------------------------------------------------------------------------------

    def _tuple(self, opcode: Opcode, _: bytes) -> None:
        if opcode.name == "TUPLE":
            items = self._since_mark()
        else:
            items = [self._pop() for _ in range(int(opcode.name[-1]))][::-1]
        self._push(tuple(items))

    def _empty(self, opcode: Opcode, _: bytes) -> None:
        self._push([] if opcode.name == "EMPTY_LIST" else {})

    def _append(self, opcode: Opcode, _: bytes) -> None:
        items = self._since_mark() if opcode.name == "APPENDS" else [self._pop()]
        self._top(list, opcode).extend(items)

    def _set(self, opcode: Opcode, _: bytes) -> None:
        items = self._since_mark() if opcode.name == "SETITEMS" else [self._pop(), self._pop()][::-1]
        if len(items) % 2:
            raise Damaged("a key in it has no value")
        fill(self._top(dict, opcode), zip(items[::2], items[1::2], strict=True))

    # --- what was there before ------------------------------------------------------------------------------

    def _put(self, _: Opcode, argument: bytes) -> None:
        self._keep(int.from_bytes(argument, "little"))

    def _memoize(self, _: Opcode, __: bytes) -> None:
        self._keep(len(self._memo))

    def _keep(self, index: int) -> None:
        if not self._stack:
            raise Damaged("it remembers a value that isn't there")
        self._memo[index] = self._stack[-1]

    def _get(self, _: Opcode, argument: bytes) -> None:
        index = int.from_bytes(argument, "little")
        if index not in self._memo:
            raise Damaged(f"it asks for value {index:,}, which isn't there")
        self._push(self._memo[index])

    # --- names, and what they make --------------------------------------------------------------------------

    def _global(self, opcode: Opcode, argument: bytes) -> None:
        if opcode.name == "GLOBAL":
            module, name = (part.decode("utf-8", "replace") for part in argument.split(b"\n")[:2])
        else:
            name, module = self._pop(), self._pop()
        text = f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else "?"
        if text not in NAMES:
            raise Refused(f"the name {text[:120]!r}")
        self._push(Name(text))

    def _persistent(self, _: Opcode, __: bytes) -> None:
        self._push(self._storage(self._pop()))

    def _reduce(self, _: Opcode, __: bytes) -> None:
        arguments, name = self._pop(), self._pop()
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise Refused("the opcode REDUCE on something that has no name")
        maker = NAMES[name.text]
        if maker is None:
            raise Refused(f"a call of {name.text}")
        try:
            self._push(maker(*arguments))
        except TypeError as error:  # as many arguments as PyTorch never gives it
            raise Refused(f"a call of {name.text} with {len(arguments)} arguments") from error

    def _build(self, opcode: Opcode, _: bytes) -> None:
        state = self._pop()
        self._top(dict, opcode)  # an OrderedDict: what is set on it beside its items has no tensors
        if not isinstance(state, dict):
            raise Refused("the opcode BUILD with something else than a dict")


_ACTIONS: Final[Mapping[str, Callable[[Machine, Opcode, bytes], None]]] = {
    "PROTO": Machine._proto, "FRAME": Machine._frame, "MARK": Machine._mark,
    **dict.fromkeys(("NONE", "NEWTRUE", "NEWFALSE", "EMPTY_TUPLE"), Machine._constant),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1"), Machine._integer),
    "BINFLOAT": Machine._float,
    **dict.fromkeys(
        ("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"), Machine._text
    ),
    **dict.fromkeys(("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"), Machine._tuple),
    **dict.fromkeys(("EMPTY_LIST", "EMPTY_DICT"), Machine._empty),
    **dict.fromkeys(("APPEND", "APPENDS"), Machine._append),
    **dict.fromkeys(("SETITEM", "SETITEMS"), Machine._set),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), Machine._put),
    "MEMOIZE": Machine._memoize,
    **dict.fromkeys(("BINGET", "LONG_BINGET"), Machine._get),
    **dict.fromkeys(("GLOBAL", "STACK_GLOBAL"), Machine._global),
    "BINPERSID": Machine._persistent, "REDUCE": Machine._reduce, "BUILD": Machine._build,
}  # fmt: skip
