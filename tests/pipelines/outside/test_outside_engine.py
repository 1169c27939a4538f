"""Nodes from outside in an engine: off until agreed to, loaded anew when they change, and never its end."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import pytest

from pipelines.engine.hosts import InProcessHost
from pipelines.engine.protocol import (
    AskPorts,
    LoadNodes,
    NodeFinished,
    OutsideNodes,
    Ports,
    Problems,
    Validate,
)
from tests.helpers.engine_drive import Drive, in_own_process
from tests.helpers.outside_nodes import SHOUT, agree, write
from tests.helpers.stub_nodes import REGISTRY, graph


class Outside:
    """A folder of nodes, what was agreed to, and an engine in this process that has both."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.agreements = folder / "nodes", folder / "agreed.json"
        host = partial(InProcessHost, registry=REGISTRY)
        places = {"nodes_dir": str(self.folder), "agreements": str(self.agreements)}
        self.drive = Drive(folder, host, REGISTRY, **places).start()

    def write(self, code: str, name: str = "mine.py") -> None:
        write(self.folder, name, code)

    def agree(self) -> None:
        agree(self.folder, self.agreements)

    def load(self, *, again: bool = False) -> OutsideNodes:
        self.drive.client.send(LoadNodes(request="load", again=again))
        return self.drive.until(OutsideNodes, request="load")

    def use(self, code: str, name: str = "mine.py") -> OutsideNodes:
        """Write a file, agree to it and load it."""
        self.write(code, name)
        self.agree()
        return self.load()

    def run(self, **nodes):
        return self.drive.run(graph(**nodes))


@pytest.fixture
def outside(tmp_path):
    made = Outside(tmp_path)
    yield made
    made.drive.client.close()


def states(event: OutsideNodes) -> dict[str, str]:
    return {source.name: source.state for source in event.sources}


def test_nothing_is_executed_before_the_user_agreed(outside, tmp_path):
    outside.write(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n" + SHOUT)
    assert states(outside.load()) == {"mine.py": "new"}
    assert not (tmp_path / "ran").exists()
    assert outside.run(a=("mine.shout",)).errors[0].code == "UnknownNodeType"
    outside.agree()
    assert states(outside.load()) == {"mine.py": "on"}
    assert (tmp_path / "ran").exists()
    finished = outside.run(a=("mine.shout", {"times": 2, "text": "a"}))
    assert finished.result["outputs"] == {"a": {"text": "AA."}}


def test_a_changed_file_is_off_until_agreed_to_again_and_nothing_of_the_old_code_is_taken(outside):
    node = ("mine.shout", {"seed": 1})
    outside.use(SHOUT)
    assert outside.run(a=node).nodes == {"a": "executed"}
    assert outside.run(a=node).nodes == {"a": "cached"}
    outside.write(SHOUT.replace(".upper()", ".title()"))
    assert states(outside.load()) == {"mine.py": "changed"}
    assert outside.run(a=node).status == "failed"
    outside.agree()
    outside.load()
    finished = outside.run(a=node)
    assert (finished.nodes, finished.result["outputs"]) == ({"a": "executed"}, {"a": {"text": "Hi."}})
    outside.use(SHOUT)
    assert outside.run(a=node).nodes == {"a": "cached"}


def test_what_was_withdrawn_or_deleted_is_gone_with_its_module(outside):
    outside.use(SHOUT)
    assert [name for name in sys.modules if name.startswith("diptych_nodes_mine_")]
    (outside.folder / "mine.py").unlink()
    assert outside.load().nodes == ()
    assert not [name for name in sys.modules if name.startswith("diptych_nodes_mine_")]


def test_every_fault_of_a_file_is_told_with_its_line_and_the_others_go_on(outside):
    wrong_id = SHOUT.replace("mine.shout", "Shout it")
    files = {
        "broken.py": "def (:\n",
        "raises.py": "\n\nraise LookupError('no such thing')\n",
        "leaves.py": "raise SystemExit(3)\n",
        "nothing.py": "x = 1\n",
        "wrong_id.py": wrong_id,
        "taken.py": SHOUT.replace("mine.shout", "stub.add"),
        "no_run.py": SHOUT.partition("    def run")[0].replace("mine.shout", "mine.idle"),
        "no_type.py": SHOUT.replace("types.Text)", "str)").replace("mine.shout", "mine.untyped"),
        "good.py": SHOUT,
    }
    for name, code in files.items():
        outside.write(code, name)
    outside.agree()
    told = {source.name: source for source in outside.load().sources}
    assert {name for name, source in told.items() if source.state == "on"} == {"good.py"}
    messages = {name: " ".join(error.message for error in source.errors) for name, source in told.items()}
    for name, words in {
        "broken.py": ("SyntaxError", "broken.py, line 6"),
        "raises.py": ("LookupError: no such thing", "raises.py, line 8"),
        "leaves.py": ("SystemExit",),
        "nothing.py": ("no nodes",),
        "wrong_id.py": ("Shout it", "wrong_id.py, line 7"),
        "taken.py": ("stub.add", "Diptych", "mine.add"),
        "no_run.py": ("no run",),
        "no_type.py": ("has no type", "types.Image"),
    }.items():
        assert all(word in messages[name] for word in words), messages[name]
    assert outside.run(a=("mine.shout",)).status == "finished"


FAULTY = """
class Returns(Node):
    \"\"\"Returns what its param says.\"\"\"

    id = "mine.returns"
    outputs = (Output("image", types.Image), Output("texts", types.list_of(types.Text)))

    class Params(NodeParams):
        what: str = Param("", "What", "A fault.")

    @classmethod
    def input_ports(cls, params):
        if params["what"] == "ports":
            raise AssertionError("no ports today")
        return cls.inputs

    def run(self, inputs, params, context):
        import numpy as np
        from pipelines.graph.values import Image

        pixels = np.zeros((2, 2, 3), np.float32)
        good = {"image": Image(pixels), "texts": ["a", 1]}
        if params.what == "raises":
            raise KeyboardInterrupt("stop all")
        if params.what == "missing":
            return {"image": Image(pixels)}
        bad = {"array": good | {"image": pixels}, "none": None, "text": good | {"texts": "abc"}}
        return bad.get(params.what, good)
"""


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raises", "KeyboardInterrupt: stop all"),
        ("missing", "image, texts; it returned image"),
        ("none", "NoneType"),
        ("array", "Image(array)"),
        ("text", "texts is a list, and got str"),
        ("ports", "AssertionError: no ports today"),
    ],
)
def test_a_node_that_fails_fails_alone(outside, fault, words):
    outside.use(FAULTY)
    finished = outside.run(bad=("mine.returns", {"what": fault}), good=("stub.constant", {"value": 3}))
    assert finished.result["nodes"]["good"]["status"] == "executed"
    (error,) = finished.errors
    assert error.node == "bad"
    assert words in error.message
    assert "mine.py" in error.message
    assert outside.run(good=("mine.returns",)).status == "finished"


def test_the_engine_checks_and_draws_seeds_for_types_that_the_client_does_not_know(outside):
    outside.use(SHOUT)
    wrong = graph(a=("mine.shout", {"times": 99}))
    outside.drive.client.send(Validate(request="v", graph=wrong.dumps().decode()))
    (problem,) = outside.drive.until(Problems, request="v").problems
    assert (problem.port, problem.code) == ("times", "InvalidParameter")
    outside.write(SHOUT.replace("+ params.mark", "+ str(params.seed)"))
    outside.agree()
    outside.load()
    outside.run(a=("mine.shout",))
    assert outside.drive.of(NodeFinished)[-1].outputs["text"].value.removeprefix("HI").isdecimal()


def test_ports_that_depend_on_params_can_be_asked_for(outside):
    outside.use(
        """
        class Many(Node):
            \"\"\"As many inputs as it is told.\"\"\"

            id = "mine.many"
            outputs = (Output("text", types.Text),)

            class Params(NodeParams):
                count: int = Param(2, "Count", "How many.", ge=0)

            @classmethod
            def input_ports(cls, params):
                return tuple(Input(f"in_{n}", types.Text, default="") for n in range(params["count"]))

            def run(self, inputs, params, context):
                return {"text": "".join(inputs.values())}
        """
    )
    outside.drive.client.send(AskPorts(request="p", type="mine.many", params={"count": 3}))
    told = outside.drive.until(Ports, request="p")
    assert [port["name"] for port in told.inputs] == ["in_0", "in_1", "in_2"]


def test_code_that_ends_the_engine_is_left_out_by_the_next_one(tmp_path):
    nodes, agreed = tmp_path / "nodes", tmp_path / "agreed.json"
    write(nodes, "deadly.py", "import os\nos._exit(7)\n")
    write(nodes, "mine.py", SHOUT)
    agree(nodes, agreed)
    drive = in_own_process(tmp_path, nodes_dir=str(nodes), agreements=str(agreed)).start()
    try:
        told = drive.until(OutsideNodes)
        assert states(told) == {"deadly.py": "failed", "mine.py": "on"}
        assert told.sources[0].errors[0].code == "OutsideEndedEngine"
        assert drive.run(graph(a=("mine.shout",))).result["outputs"] == {"a": {"text": "HI."}}
    finally:
        drive.client.close()
