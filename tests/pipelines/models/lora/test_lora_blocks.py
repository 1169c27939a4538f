"""Strengths of single blocks: the notations in use are read, and what can't be read is named."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipelines.errors import LoraBlocksUnreadable
from pipelines.models.lora.blocks import LISTS, Block, read_blocks
from pipelines.nodes.model import LoraNode


@pytest.mark.parametrize(
    ("text", "block", "factor"),
    [
        ("", ("IN", 4), 1.0), ("IN04=0.5", ("IN", 4), 0.5), ("in4=-2", ("IN", 4), -2.0),
        ("IN04=0.5", ("OUT", 4), 1.0),
        ("OUT*=0,OUT3=0.5", ("OUT", 3), 0.5), ("OUT3=0.5 OUT*=0", ("OUT", 3), 0.0),
        ("IN1-IN5=0", ("IN", 5), 0.0),
        ("M00=.25;base=3", ("MID", 0), 0.25), ("M00=.25;base=3", ("BASE", 0), 3.0),
        ("*=0", ("block", 31), 0.0),
        ("0-9=0.5\n12=2", ("block", 9), 0.5), ("0-9=0.5, 12=2", ("block", 10), 1.0), ("*=0", None, 1.0),
    ],
)  # fmt: skip
def test_what_a_text_says_of_a_block(text: str, block: Block | None, factor: float) -> None:
    assert read_blocks(text).factor(block) == factor


@pytest.mark.parametrize("count", LISTS)
def test_lists_of_numbers_are_for_the_blocks_they_are_known_for(count: int) -> None:
    read = read_blocks(", ".join(f"{number / 10}" for number in range(count)))
    assert [read.factor(block) for block in LISTS[count]] == [number / 10 for number in range(count)]
    assert len(set(LISTS[count])) == count
    read.check("sdxl-inpaint")
    with pytest.raises(LoraBlocksUnreadable, match="numbered from 0"):
        read.check("flux")


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("IN04", "IN04"), ("IN04=0.5, MIDDLE=1", "MIDDLE=1"), ("OUT12=1", "OUT12=1"), ("IN1=9", "IN1=9"),
        ("9-3=1", "9-3=1"), ("IN1=nan", "IN1=nan"), ("1,2,x", "x"), ("1,2,3", "3"), ("=1", "=1"),
        ("a" * 600, "aaa"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_named(text: str, token: str) -> None:
    with pytest.raises(LoraBlocksUnreadable) as caught:
        read_blocks(text)
    assert caught.value.info().arguments["token"].startswith(token)
    with pytest.raises(ValidationError):
        LoraNode.Params(blocks=text)


def test_blocks_are_those_of_the_family() -> None:
    read_blocks("0-9=0.5").check("z-image")
    read_blocks("IN04=0.5, *=1").check("sd1")
    with pytest.raises(LoraBlocksUnreadable, match="its blocks are IN, MID and OUT"):
        read_blocks("0-9=0.5").check("sd")
