"""Which torch is chosen for which card, and when the one that is there must go."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bootstrap import device, stamp, torch_build
from bootstrap.console import SetupFailed
from bootstrap.device import Card, Choice, Detected

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux has other builds than Windows and macOS")
INDEX = "index:/whl/{build}"


def card(major: int, minor: int, driver: int = 590) -> Card:
    return Card("Card", (major, minor), driver)


def test_cards_are_read_from_the_driver() -> None:
    text = "NVIDIA GeForce RTX 3060, 8.6, 580.65.06\nQuadro, P2000, 6.1, 550.54\nNo devices\nX, [N/A], 1\n"
    assert device.parse_nvidia(text) == (
        Card("NVIDIA GeForce RTX 3060", (8, 6), 580),
        Card("Quadro, P2000", (6, 1), 550),
    )


def test_amd_cards_are_counted_without_the_processor(tmp_path: Path) -> None:
    for node, gpu in (("0", "0"), ("1", "41234")):
        (tmp_path / node).mkdir()
        (tmp_path / node / "gpu_id").write_text(gpu + "\n")
    assert device.amd_cards(tmp_path) == 1
    assert device.amd_cards(tmp_path / "none") == 0


@pytest.mark.parametrize(
    ("cards", "first"),
    [
        ((), "cu130"),
        ((card(8, 9),), "cu130"),
        ((card(6, 1),), "cu126"),
        ((card(7, 0),), "cu126"),
        ((card(7, 5),), "cu130"),
        ((card(8, 6, driver=550),), "cu126"),
        ((card(12, 0, driver=570),), "cu128"),
        ((card(12, 0),), "cu130"),
        ((card(8, 6), card(6, 1)), "cu126"),
    ],
)
def test_the_build_fits_capability_and_driver(cards: tuple[Card, ...], first: str) -> None:
    assert device.builds("cuda", cards)[0] == first


def test_no_build_leaves_a_card_out() -> None:
    assert "cu126" not in device.builds("cuda", (card(12, 0),))
    assert set(device.builds("cuda", (card(6, 1),))) == {"cu126"}
    assert device.builds("cpu") == device.builds("mps") == ("cpu",)


@linux
def test_the_index_is_a_template_or_taken_as_it_is() -> None:
    found = Detected("cuda", "a card", (card(8, 6),))
    assert device.choose(None, found, INDEX).indexes[0] == "index:/whl/cu130"
    assert device.choose("cpu", found, INDEX).indexes == ("index:/whl/cpu",)
    assert device.choose(None, found, "index:/mine").indexes == ("index:/mine",)
    assert device.choose(None, found, "").indexes == ("",)


@linux
def test_what_pip_alone_cannot_give_is_said() -> None:
    old = Detected("cuda", "an old card", (card(6, 1),))
    assert any("DIPTYCH_TORCH_INDEX" in note for note in device.choose(None, old, "").notes)
    assert device.choose(None, old, INDEX).notes == ()
    assert any(
        "driver" in note for note in device.choose(None, Detected("cuda", "", (card(8, 6, 550),)), "").notes
    )
    assert any("larger" in note for note in device.choose("cpu", old, "").notes)
    assert any("ROCm" in note for note in device.choose("rocm", Detected("cpu", ""), "").notes)


@linux
def test_a_device_of_another_system_is_refused() -> None:
    with pytest.raises(SetupFailed, match="Apple"):
        device.choose("mps", Detected("cpu", ""), "")


@pytest.mark.parametrize(
    ("torch", "vision"), [("2.10.0", "0.25"), ("2.14.1+cu130", "0.29"), ("2.9.1", "0.24")]
)
def test_torchvision_belongs_to_its_torch(torch: str, vision: str) -> None:
    assert torch_build.matching_torchvision(torch) == f"torchvision=={vision}.*"
    assert torch_build.match(torch, f"{vision}.1+cpu")
    assert not torch_build.match(torch, "0.2.9")
    assert not torch_build.match(torch, "")


def test_the_tested_pair_belongs_together_and_in_the_ranges() -> None:
    root = Path(__file__).resolve().parents[2]
    lines = (root / "packaging" / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.partition(";")[0].strip().split("==") for line in lines if "==" in line)
    assert torch_build.match(pins["torch"], pins["torchvision"])
    project = (root / "pyproject.toml").read_text("utf-8")
    assert all(f'"{wanted}"' in project for wanted in torch_build.RANGES)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n", "cuda"),
        ("cuda = None\nhip: Optional[str] = '7.1.2'\n", "rocm"),
        ("__version__ = '2.14.1+cpu'\ncuda: Optional[str] = None\nhip: Optional[str] = None\n", "cpu"),
    ],
)
def test_the_kind_of_a_build_is_read_from_its_version_file(text: str, kind: str) -> None:
    assert torch_build.kind_of(text) == kind


def test_when_torch_must_be_replaced() -> None:
    cpu, mine = Choice("cpu", ("",)), Choice("cpu", ("index:/mine",), "index:/mine")
    record = {"device": "cpu", "index": stamp.index_part("index:/mine")}
    assert not torch_build.must_replace(record, mine, "cpu", "cpu")
    assert not torch_build.must_replace(record, cpu, None, "cpu"), (
        "an index that is no longer named changes nothing"
    )
    assert torch_build.must_replace({"device": "cuda", "index": ""}, cpu, "cpu", "cuda")
    assert torch_build.must_replace({"device": "cpu", "index": ""}, mine, None, "cuda")
    assert not torch_build.must_replace(None, cpu, "cpu", ""), "nothing is there"
    assert not torch_build.must_replace(None, cpu, None, "cuda"), "nothing was asked for"
    assert torch_build.must_replace(None, cpu, "cpu", "cuda")
