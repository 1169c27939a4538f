"""The command as a hostile shell uses it: wrong words, closed pipes, bad folders, Ctrl-C, kill -9."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.errors import ErrorInfo
from pipelines.graph.document import Graph, NodeRecord
from tests.helpers.fault_graphs import document, one, saving
from tests.helpers.fault_processes import CLI, finish, is_gone, shell, start, wait_for


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def hello(tmp_path):
    path = tmp_path / "hello.json"
    path.write_bytes(one("text.constant", text="hello").dumps())
    return path


def slow(tmp_path):
    """A graph that keeps an engine busy for seconds, without a model."""
    lines = "\n".join(str(line) for line in range(90_000))
    graph = Graph().with_node("lines", NodeRecord.new("list.text", params={"lines": lines}))
    graph = graph.with_node(
        "join", NodeRecord.new("text.join", params={"b": "!"}, inputs={"a": ("lines", "items")})
    )
    path = tmp_path / "slow.json"
    path.write_bytes(graph.dumps())
    return path


# --- words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("render", "x", "--size", "²x²"), 2),
        (("render", "x", "--size", "9" * 5000), 2),
        (("render", "x", "--guidance", "nan"), 2),
        (("render", "x", "--rescale", "inf"), 2),
        (("render", "x", "--steps", "many"), 2),
        (("render", "x", "--steps", "9" * 5000), 2),
        (("render", "x", "--seed", str(2**64)), 2),
        (("render", "x", "--seed", "-1"), 2),
        (("render", "x", "-o", "picture.xyz"), 2),
        (("render", "@missing.txt"), 2),
        (("render", "x", "--nonsense"), 2),
        (("render", "x", "--model", "nothing"), 2),
        (("render", "x", "--model", "/" + "m" * 300), 2),
        (("write", "x", "--max-tokens", "1e3"), 2),
        (("run", "missing.json"), 2),
        (("run", "hello.json", "--set", "n.text"), 2),
        (("run", "hello.json", "--sweep", "n.text=a\nb"), 2),
        (("run", "hello.json", "-o", "hello.json"), 1),
        (("inspect", "hello.json"), 2),
        (("inspect", "."), 2),
        (("models", "probe", "missing"), 2),
        (("bench", "nothing"), 2),
    ],
)
def test_with_json_what_is_wrong_is_one_object_too(words, code, hello, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--json"]) == code
    told = capsys.readouterr()
    error = json.loads(told.out)["error"]
    assert error["message"] in told.err
    assert error["message"].endswith((".", "--help", "EXAMPLE", "DIR", "bench")) or error["remedy"]
    assert "Traceback" not in told.out + told.err
    assert error["code"] != "UnexpectedError"
    ErrorInfo.from_json(error)


def test_a_bug_of_ours_is_said_in_words_and_its_details_are_kept(hello, tmp_path, monkeypatch, capsys):
    from pipelines.cli import show

    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(show, "load_graph", lambda path: 1 // 0)
    assert main(["inputs", str(hello), "--json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["error"]["code"] == "UnexpectedError"
    assert "Traceback" not in told.err
    log = told.err.rsplit("Diagnostics: ", 1)[1].strip()
    assert "ZeroDivisionError" in Path(log).read_text()


def test_an_argument_longer_than_a_file_name_is_an_argument(home, tmp_path):
    (tmp_path / "g.json").write_text(
        document({"a": {"type": "text.constant"}}, exposed={"who": {"node": "a", "param": "text"}})
    )
    code, out, err = shell(f"$DIPTYCH run g.json who={'x' * 5000}", home, tmp_path)
    assert (code, out.strip()) == (0, "x" * 5000), err


# --- pipes -----------------------------------------------------------------------------------------------


@pytest.mark.posix
def test_a_reader_that_leaves_early_or_was_never_there_ends_it_quietly(home, tmp_path, hello):
    script = (
        "$DIPTYCH nodes --json | head -c 10 >/dev/null; echo ${PIPESTATUS[0]};"
        "$DIPTYCH nodes >&- ; echo $?;"
        "$DIPTYCH run hello.json --events | head -1 >/dev/null; echo ${PIPESTATUS[0]};"
        "$DIPTYCH nodes --json >/dev/full; echo $?"
    )
    _, out, err = shell(script, home, tmp_path)
    codes = out.split()
    assert codes[1] == "0"
    assert codes[3] == "1"
    assert {codes[0], codes[2]} <= {"0", "1"}
    assert "No space left" in err
    assert len(err.splitlines()) <= 3, err


@pytest.mark.posix
def test_garbage_on_standard_input_is_answered_line_by_line(home, tmp_path, hello):
    graph = json.dumps(hello.read_text())
    lines = [
        b"\xff\xfe\x00garbage",
        b'{"kind": "run", "job"',
        b"[" * 50_000,
        b"null",
        b'{"kind": "nothing of the kind"}',
        b'{"kind": "run", "job": "bad", "graph": "{}"}',
        b'{"kind": "cancel", "job": "nobody"}',
        b'{"kind": "save_image", "request": "s", "job": "x", "node": "y", "path": "/nowhere/x.png"}',
        b'{"kind": "run", "job": "deep", "graph": ' + json.dumps("[" * 100_000).encode() + b"}",
        b'{"kind": "hello", "run_dir": "/etc", "settings": {}}',
        b"x" * (64 * 2**20 + 10) + b'{"kind": "shutdown"}',
        b'{"kind": "run", "job": "good", "graph": ' + graph.encode() + b"}",
    ]
    child = start([*CLI, "engine", "--stdio"], home, text=False)
    out, err = child.communicate(b"\n".join(lines) + b"\n{half", timeout=60)
    assert child.returncode == 0, err
    assert b"Traceback" not in err
    events = [json.loads(line) for line in out.splitlines()]
    failures = [event for event in events if event["kind"] == "failure"]
    assert {"bad", "deep"} <= {event["request"] for event in failures}
    assert sum(event["error"]["code"] == "RequestUnreadable" for event in failures) == 7
    assert sum(event["error"]["code"] == "MessageTooLong" for event in failures) == 1
    assert all("pydantic" not in event["error"]["message"] for event in failures)
    saved = next(event for event in events if event["kind"] == "saved")
    assert saved["error"]["code"] == "NothingToSave"
    done = next(event for event in events if event["kind"] == "run_finished" and event["job"] == "good")
    assert done["result"]["outputs"] == {"n": {"text": "hello"}}


@pytest.mark.posix
def test_an_engine_whose_reader_has_left_ends_though_its_input_stays_open(home, tmp_path, hello):
    child = start([*CLI, "engine", "--stdio"], home)
    child.stdout.readline()
    child.stdout.close()
    request = json.dumps({"kind": "run", "job": "1", "graph": hello.read_text()})
    child.stdin.write(request + "\n")
    child.stdin.flush()
    assert child.wait(10) == 1
    assert "Traceback" not in child.stderr.read()
    assert not list((home / "run").glob("run-*"))
    child.stdin.close()
    child.stderr.close()


# --- folders ---------------------------------------------------------------------------------------------


@pytest.mark.posix
def test_a_home_that_can_t_be_used_is_said_once_and_in_words(tmp_path, hello):
    (tmp_path / "file").write_text("x")
    script = (
        "$DIPTYCH run hello.json --json; echo $?; $DIPTYCH engine --stdio </dev/null; echo $?;"
        "$DIPTYCH validate hello.json; echo $?"
    )
    _, out, err = shell(script, tmp_path / "file", tmp_path)
    lines = out.split("\n")
    failed = json.loads(lines[0])["graphs"][0]
    assert failed["status"] == "failed"
    assert failed["errors"][0]["code"] == "FolderUnusable"
    assert lines[1:4] == ["1", "1", "0"]
    assert "DIPTYCH_HOME" in err
    assert err.count("can't be used") == 3 - 1


def test_a_folder_that_can_t_be_written_to_costs_no_picture(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    (tmp_path / "g.json").write_bytes(saving(tmp_path / "file").dumps())
    assert main(["run", str(tmp_path / "g.json"), "--json"]) == 1
    told = capsys.readouterr()
    node = json.loads(told.out)["graphs"][0]["nodes"]["save"]
    assert node["error"]["code"] == "SaveFailed"
    assert "file, not a folder" in node["error"]["message"]
    (kept,) = node["kept"]
    assert kept.startswith(str(tmp_path / "home" / "pictures"))
    assert kept in told.err
    assert Path(kept).read_bytes().startswith(b"\x89PNG")


def test_a_missing_text_model_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    assert main(["write", "a story"]) == 1
    told = capsys.readouterr()
    assert "packaging/start.py" in told.err
    assert told.out == ""


# --- signals ---------------------------------------------------------------------------------------------


@pytest.mark.posix
def test_ctrl_c_cancels_and_keeps_a_second_one_ends_at_once(home, tmp_path):
    graph = slow(tmp_path)
    for times in (1, 2):
        child = start([*CLI, "run", str(graph), "--events"], home)
        for line in child.stdout:
            if '"node_started"' in line:
                break
        for _ in range(times):
            os.kill(child.pid, signal.SIGINT)
        code, out, _ = finish(child, timeout=15)
        assert code == 130
        if times == 1:
            assert '"status":"cancelled"' in out


@pytest.mark.posix
def test_a_command_killed_in_the_middle_leaves_no_engine_and_its_rest_is_swept(home, tmp_path):
    child = start([*CLI, "run", str(slow(tmp_path)), "--events"], home)
    pid = json.loads(child.stdout.readline())["pid"]
    child.kill()
    child.communicate()
    wait_for(lambda: is_gone(pid))
    assert len(list((home / "run").glob("run-*"))) == 1
    (tmp_path / "hello.json").write_bytes(one("text.constant", text="hello").dumps())
    code, out, _ = finish(start([*CLI, "run", str(tmp_path / "hello.json")], home))
    assert (code, out) == (0, "hello\n")
    assert not list((home / "run").glob("run-*"))


@pytest.mark.posix
def test_a_killed_engine_fails_its_command_in_words(home, tmp_path):
    child = start([*CLI, "run", str(slow(tmp_path)), "--json"], home)
    engine = wait_for(lambda: _child_of(child.pid))
    wait_for(lambda: b"pipelines.engine.host" in _command_of(engine))
    wait_for(lambda: list((home / "run").glob("run-*")))
    time.sleep(0.8)
    os.kill(engine, signal.SIGKILL)
    code, out, err = finish(child, timeout=60)
    status = json.loads(out)["graphs"][0]["status"]
    # killed before the job began, the next engine takes it over; in the middle, it has failed
    assert (code, status) in ((1, "failed"), (0, "finished"))
    if code:
        assert "killed" in err
        assert json.loads(out)["graphs"][0]["errors"][0]["code"] == "EngineDied"


def _child_of(pid):
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        pytest.skip("this system doesn't list children")
    return int(text.split()[0]) if text.split() else 0


def _command_of(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()
