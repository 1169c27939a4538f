"""Files made to get out of the reader: each is refused by name, nothing is run, nothing is written."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.errors import ConversionFailed, ConversionRefused
from pipelines.models.convert.conversion import convert
from pipelines.models.convert.faults import Damaged, Fault, Refused, TooLarge
from pipelines.models.convert.state_dict import select
from pipelines.models.convert.torch_file import read
from pipelines.models.convert.worker import serve
from tests.helpers.hostile_models import archive, hostile_forms, shown, state, tensor

FOUR = struct.pack("<4f", 1, 2, 3, 4)


def test_programs_are_named_and_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "forms"
    folder.mkdir()
    canary = tmp_path / "canary"
    forms = hostile_forms(folder, canary)
    for name, path in forms.items():
        with pytest.raises(ConversionRefused, match=r"mkdir|opcode [A-Z]+") as caught:
            convert(path)
        assert name[:4] == "bare" or f"{os.mkdir.__module__}.mkdir" in str(caught.value), name
    assert not canary.exists()
    assert len(list(folder.iterdir())) == len(forms)


@pytest.mark.parametrize(
    ("saved", "reason"),
    [
        ({"a": torch.zeros(1), "n": np.float64(1)}, r"scalar"),
        ({"a": torch.zeros(1), "n": np.zeros(2)}, r"_reconstruct"),
        ({"a": torch.zeros(1), "n": {1, 2}}, r"set"),
        ({"a": torch.zeros(1), "n": b"bytes"}, r"_codecs\.encode"),
        ({"a": torch.zeros(1), "n": 2**200}, r"a number of 26 bytes"),
        ({"a": torch.zeros(1), "n": Path("x")}, r"pathlib"),
        ({"a": torch.zeros(1), "n": torch.nn.Linear(1, 1)}, r"torch\.nn\.modules"),
        ({"a": torch.zeros(2, 2).to_sparse()}, r"sparse"),
        ({"a": torch.tensor([1j]).conj()}, r"conjugated"),
        (torch.zeros(3), r"single tensor"),
        ([torch.zeros(3)], r"something else than a dict"),
        ({"a": 1, "b": "text"}, r"no tensors"),
        ({1280: (torch.zeros(1),)}, r"a int as the name|no tensors"),
        ({"a": {"b": torch.zeros(1)}, "a.b": torch.zeros(1)}, r"keep its name"),
        ({"__metadata__": torch.zeros(1)}, r"keep its name"),
    ],
    ids=str,
)
def test_more_than_a_state_dict_is_refused_by_name(saved: object, reason: str) -> None:
    file = io.BytesIO()
    torch.save(saved, file)
    with pytest.raises(Refused, match=reason):
        serve(file, len(file.getvalue()), io.BytesIO())


def machine(tmp_path: Path, pickled: bytes, storages: dict[str, bytes] | None = None) -> object:
    """What is made of a pickle of one's own."""
    path = archive(tmp_path / "m.pth", pickled, storages)
    with path.open("rb") as file:
        return select(read(file, path.stat().st_size).root)


LAUGHS = b"N" + b"q\x00h\x00" + b"\x86q\x00h\x00" * 200 + b"\x86"
"""A tuple of a tuple of … whose members are the same: 2^200 of them to who walks through it."""


@pytest.mark.parametrize(
    ("pickled", "fault", "reason"),
    [
        (b"\x80\x02cposix\nsystem\n" + shown("true") + b"\x85R.", Refused, "posix.system"),
        (b"\x80\x04" + shown("os") + shown("system") + b"\x93.", Refused, "os.system"),
        (b"\x80\x04" + shown("os") + b"N\x93.", Refused, "name"),
        (b"\x80\x02ctorch\nload\n.", Refused, "torch.load"),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", Refused, "call of torch.FloatStorage"),
        (b"\x80\x02ccollections\nOrderedDict\n(NNNtR.", Refused, "3 arguments"),
        (b"\x80\x02ccollections\nOrderedDict\nNR.", Refused, "REDUCE"),
        (b"\x80\x02NNR.", Refused, "REDUCE"),
        (b"\x80\x02]}b.", Refused, "BUILD on something else"),
        (b"\x80\x02}Nb.", Refused, "BUILD with"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", Refused, "NEWOBJ"),
        (b"\x80\x02\x82\x01.", Refused, "EXT1"),
        (b"\x80\x02(icollections\nOrderedDict\n.", Refused, "INST"),
        (b"\x80\x02P0\n.", Refused, "PERSID"),
        (b"\x80\x02NQ.", Refused, "persistent id"),
        (b"\x80\x02(" + shown("module") + b"NNNNtQ.", Refused, "persistent id"),
        (b"\x80\x02((" + shown("storage") + b"NNNNtQNNNNtQ.", Refused, "storage of the kind"),
        (b"\x80\x02\x8aI" + bytes(73) + b".", Refused, "73 bytes"),
        (b"\x80\x02}" + LAUGHS + b"Ns.", Refused, "tuple as its key"),
        (b"\x80\x09N.", Refused, "protocol 9"),
        (b"\x80\x02", Damaged, "too early"),
        (b"\x80\x02X\xff\xff\xff\xffabc", Damaged, "too early"),
        (b"\x80\x05\x8d" + b"\xff" * 8 + b"abc", Damaged, "too early"),
        (b"\x80\x02\xff.", Damaged, "no opcode"),
        (b"\x80\x02s.", Damaged, "isn't there"),
        (b"\x80\x02u.", Damaged, "aren't there"),
        (b"\x80\x02q\x00.", Damaged, "isn't there"),
        (b"\x80\x02j\x00\xca\x9a\x3b.", Damaged, "1,000,000,000"),
        (b"\x80\x02NN.", Damaged, "one value"),
        (b"\x80\x02}(N" + b"u.", Damaged, "no value"),
        (b"\x80\x02X\x01\x00\x00\x00\xff.", Damaged, "UTF-8"),
        (b"\x80\x02" + b"(" * 2_000 + b".", TooLarge, "too deep"),
        (b"\x80\x02}q\x00" + shown("a") + b"h\x00s.", TooLarge, "too deep"),
        (b"\x80\x02" + (b"}" + shown("state_dict")) * 50 + b"}" + b"s" * 50 + b".", TooLarge, "too deep"),
    ],
    ids=lambda value: None if isinstance(value, bytes | type) else value,
)  # fmt: skip
def test_hostile_opcodes(tmp_path: Path, pickled: bytes, fault: type[Fault], reason: str) -> None:
    with pytest.raises(fault, match=reason):
        machine(tmp_path, pickled)


def test_a_memo_of_a_thousand_million_takes_no_room(tmp_path: Path) -> None:
    far = b"r\x00\xca\x9a\x3b" + b"j\x00\xca\x9a\x3b" + b"0"
    with pytest.raises(Refused, match="POP"):
        machine(tmp_path, b"\x80\x02N" + far + b".")
    found = machine(tmp_path, state(a=tensor(4, (4,), (1,)) + b"r\x00\xca\x9a\x3b"), {"0": FOUR})
    assert list(found.tensors) == ["a"]


def test_what_is_there_many_times_is_not_walked_for_ever(tmp_path: Path) -> None:
    """A tuple is no place for weights; dicts within dicts end at a depth, lists are left out."""
    laughs = state(a=tensor(4, (4,), (1,)), laughs=LAUGHS, again=b"](h\x00h\x00e")
    assert machine(tmp_path, laughs, {"0": FOUR}).dropped == ("laughs", "again")
    wide = b"}q\x00(" + b"".join(shown(str(number)) + b"N" for number in range(100)) + b"u"
    for level in range(1, 6):
        put, get = bytes((ord("q"), level)), bytes((ord("h"), level - 1))
        wide += b"}" + put + b"(" + b"".join(shown(str(number)) + get for number in range(100)) + b"u"
    with pytest.raises(TooLarge, match="too many"):
        machine(tmp_path, b"\x80\x02}" + shown("t") + b"(" + wide + b"ts" + shown("a") + b"h\x05s.")


@pytest.mark.parametrize(
    ("values", "storages", "fault", "reason"),
    [
        (tensor(4, (4,), (1,)), {}, Damaged, "has nothing"),
        (tensor(4, (4,), (1,)), {"0": FOUR[:8]}, Damaged, "has 8 bytes"),
        (tensor(4, (4,), (1,)), {"0": FOUR * 2}, Damaged, "has 32 bytes"),
        (tensor(4, (5,), (1,)), {"0": FOUR}, Damaged, "outside"),
        (tensor(4, (4,), (1,), 1), {"0": FOUR}, Damaged, "outside"),
        (tensor(4, (2, 2), (3, 1)), {"0": FOUR}, Damaged, "outside"),
        (tensor(4, (2, 2), (-1, 1)), {"0": FOUR}, Refused, "shape and strides"),
        (tensor(4, (2, 2), (2,)), {"0": FOUR}, Refused, "shape and strides"),
        (tensor(4, (2,), (1,), -1), {"0": FOUR}, Refused, "impossible"),
        (tensor(-4, (2,), (1,)), {"0": FOUR}, Damaged, "no usable size"),
        (tensor(4, (2**30, 2**30), (0, 0)), {"0": FOUR}, Refused, "impossible"),
        (tensor(4, (2**20, 2**10), (0, 0)), {"0": FOUR}, TooLarge, "would become"),
        (tensor(4, (4,), (1,), key="../version"), {"0": FOUR}, Damaged, "has nothing"),
        (tensor(4, (1,) * 17, (1,) * 17), {"0": FOUR}, Refused, "shape and strides"),
    ],
)
def test_tensors_stay_within_their_numbers(
    tmp_path: Path, values: bytes, storages: dict[str, bytes], fault: type[Fault], reason: str
) -> None:
    path = archive(tmp_path / "m.pth", state(a=values), storages)
    with path.open("rb") as file, pytest.raises(fault, match=reason):
        serve(file, path.stat().st_size, io.BytesIO())


def test_archives_that_two_readers_could_read_differently(tmp_path: Path) -> None:
    good = archive(tmp_path / "good.pth", state(a=tensor(4, (4,), (1,))), {"0": FOUR}).read_bytes()
    central = good.index(b"PK\x01\x02")
    cases = {
        "doesn't end": good + b"x",
        "isn't where it says": b"PK\x03\x04" + good,
        "cut off|isn't where it says": good[:central] + good[central + 46 :],
        "two names": good.replace(b"archive/version", b"archive/versioN", 1),
        "no end": good[:10],
        "something else": good.replace(b"data.pkl", b"data.pk1"),
    }
    for reason, data in cases.items():
        with pytest.raises(Fault, match=reason):
            read(io.BytesIO(data), len(data))
    # Two entries at one place.
    first, second = (good.index(name, central) for name in (b"archive/data.pkl", b"archive/data/0"))
    data = bytearray(good)
    data[second - 4 : second] = data[first - 4 : first]
    with pytest.raises(Fault, match=r"two names|overlap"):
        read(io.BytesIO(data), len(data))


def test_archives_of_something_else(tmp_path: Path) -> None:
    path = archive(tmp_path / "packed.pth", state(a=tensor(4, (4,), (1,))), {"0": FOUR}, packed=True)
    with pytest.raises(ConversionRefused, match="compressed"):
        convert(path)
    with zipfile.ZipFile(tmp_path / "twice.pth", "w") as made:
        made.writestr("archive/data.pkl", state(a=tensor(4, (4,), (1,))))
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("archive/data.pkl", state(b=tensor(4, (4,), (1,))))
    with pytest.raises(ConversionRefused, match="two entries"):
        convert(tmp_path / "twice.pth")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as made:
        made.writestr("archive/constants.pkl", b"\x80\x02).")
        made.writestr("archive/data.pkl", state(a=tensor(4, (4,), (1,))))
    with pytest.raises(ConversionRefused, match="TorchScript"):
        convert(tmp_path / "script.pt")


@pytest.mark.filterwarnings("ignore")
def test_old_files_with_wrong_sizes(tmp_path: Path) -> None:
    source = tmp_path / "old.pth"
    torch.save({"a": torch.zeros(100)}, source, _use_new_zipfile_serialization=False)
    good = source.read_bytes()
    for data in (good + b"x", good[:-401] + b"\xff" * 8 + good[-393:], good[:-408] + bytes(408)):
        source.write_bytes(data)
        with pytest.raises(ConversionFailed, match="damaged"):
            convert(source)


@pytest.mark.posix
def test_the_reader_can_neither_write_nor_start_nor_call(tmp_path: Path) -> None:
    attempts = (
        "__import__('socket').socket()", "__import__('os').system('true')", "__import__('os').fork()",
        "__import__('subprocess').run(['true'])", "__import__('os').mkdir('canary')", "open('canary', 'w')",
    )  # fmt: skip
    code = "from pipelines.models.convert.confinement import confine\nconfine()\n"
    for attempt in attempts:
        code += f"try:\n  {attempt}\nexcept PermissionError:\n  print('refused')\n"
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert done.stdout.split() == ["refused"] * len(attempts)
    assert not (tmp_path / "canary").exists()
