"""``diptych run`` and its many ways to set values, on graphs that need no model."""

from __future__ import annotations

import json


def outputs(result, index=0):
    return result.json["graphs"][index]["outputs"]


def test_run_prints_the_contract(diptych, greeting):
    result = diptych("run", greeting, "--json")
    assert result.code == 0
    (graph,) = result.json["graphs"]
    assert set(graph) == {"graph", "status", "seconds", "nodes", "outputs"}
    assert graph["graph"] == str(greeting)
    assert graph["status"] == "finished"
    assert graph["outputs"] == {"join": {"text": "hello world"}}
    assert {node["status"] for node in graph["nodes"].values()} == {"executed"}


def test_logs_go_to_standard_error(diptych, greeting):
    result = diptych("run", greeting)
    assert result.out == "hello world\n"
    assert "finished" in result.err


def test_exposed_names_take_text_files_and_standard_input(diptych, greeting, tmp_path):
    (tmp_path / "name.txt").write_text("Ada, naïve = no\n", encoding="utf-8")
    assert outputs(diptych("run", greeting, "who=you", "--json"))["join"]["text"] == "hello you"
    assert (
        outputs(diptych("run", greeting, "who=@name.txt", "--json"))["join"]["text"]
        == "hello Ada, naïve = no\n"
    )
    assert (
        outputs(diptych("run", "--json", greeting, "who=-", stdin="stdin"))["join"]["text"] == "hello stdin"
    )
    assert outputs(diptych("run", "--json", greeting, "who=@@name"))["join"]["text"] == "hello @name"


def test_set_takes_text_verbatim_and_anything_else_as_json(diptych, greeting, sums):
    result = diptych("run", greeting, "--set", 'who.text="1"', "--set", "join.separator==", "--json")
    assert outputs(result)["join"]["text"] == 'hello="1"'
    assert outputs(diptych("run", sums, "--set", "sum.b=1e2", "--json"))["sum"]["value"] == 101.0


def test_wrong_use_is_exit_code_two_and_says_what_is_there(diptych, greeting, sums):
    for words, expected in (
        (("run", greeting, "--set", "nowhere.text=x"), "join, who"),
        (("run", greeting, "--set", "who.colour=x"), "text"),
        (("run", greeting, "--set", "who"), "node.param=value"),
        (("run", greeting, "what=x"), "who"),
        (("run", sums, "--set", "sum.b=lots"), "JSON"),
        (("run", greeting, "--target", "nowhere"), "nowhere"),
        (("run", "missing.json"), "missing.json"),
        (("run", greeting, "--resume"), "-o DIR"),
        (("run", greeting, "--nonsense"), "nonsense"),
        (("nonsense",), "nonsense"),
    ):
        result = diptych(*words)
        assert result.code == 2, words
        assert expected in result.err, result.err
        assert not result.out


def test_several_graphs_run_in_order_and_one_failure_is_exit_code_one(diptych, greeting, sums):
    result = diptych("run", sums, greeting, "--set", "sum.operation=divide", "--set", "sum.b=0", "--json")
    assert result.code == 2  # greeting has no node called sum: told before anything runs
    result = diptych("run", greeting, sums, greeting, "--json")
    assert [graph["outputs"] for graph in result.json["graphs"]] == [
        {"join": {"text": "hello world"}},
        {"sum": {"value": 3.0}},
        {"join": {"text": "hello world"}},
    ]
    assert {node["status"] for node in result.json["graphs"][2]["nodes"].values()} <= {"cached", "skipped"}
    failed = diptych("run", sums, "--set", "sum.operation=divide", "--set", "sum.b=0", "--json")
    assert failed.code == 1
    assert failed.json["graphs"][0]["nodes"]["sum"]["error"]["code"] == "ArithmeticFailed"


def test_events_are_json_lines(diptych, greeting):
    result = diptych("run", greeting, "--events")
    kinds = [json.loads(line)["kind"] for line in result.out.splitlines()]
    assert kinds[0] == "ready"
    assert kinds[-1] == "run_finished"
    assert kinds.count("node_finished") == 2


def test_each_row_and_sweep_multiply_and_resume_goes_on(diptych, greeting, tmp_path):
    (tmp_path / "rows.csv").write_text("who,join.separator\nAda,-\nBob,+\n", encoding="utf-8")
    result = diptych("run", greeting, "--each", "rows.csv", "--sweep", "join.a=hi,bye", "-o", "out", "--json")
    texts = [graph["outputs"]["join"]["text"] for graph in result.json["graphs"]]
    assert texts == ["hi-Ada", "bye-Ada", "hi+Bob", "bye+Bob"]
    (tmp_path / "rows.jsonl").write_text(
        '{"who": "Ada", "join.separator": "-"}\n{"who": "Cleo"}\n', encoding="utf-8"
    )
    again = diptych(
        "run", greeting, "--each", "rows.jsonl", "--sweep", "join.a=hi,bye", "-o", "out", "--resume", "--json"
    )
    assert [graph["outputs"]["join"]["text"] for graph in again.json["graphs"]] == ["hi Cleo", "bye Cleo"]


def test_a_broken_table_says_where(diptych, greeting, tmp_path):
    (tmp_path / "rows.csv").write_text("who\nAda,extra\n", encoding="utf-8")
    result = diptych("run", greeting, "--each", "rows.csv")
    assert result.code == 2
    assert "rows.csv" in result.err


def test_validate_has_three_exit_codes(diptych, greeting, tmp_path):
    assert diptych("validate", greeting).code == 0
    broken = json.loads(greeting.read_text())
    broken["nodes"]["join"]["inputs"]["b"] = ["gone", "text"]
    broken["nodes"]["who"]["params"]["text"] = 5
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    result = diptych("validate", "broken.json", "--json")
    assert result.code == 1
    found = {(item["node"], item["port"], item["code"]) for item in result.json["problems"]}
    assert found == {("join", "b", "DanglingLink"), ("who", "text", "InvalidParameter")}
    (tmp_path / "bad.json").write_text('{"nodes": {"a": {"type": "text.constant", "x": NaN}}}')
    assert diptych("validate", "bad.json").code == 2
    (tmp_path / "deep.json").write_text("[" * 100_000)
    assert diptych("validate", "deep.json").code == 2


def test_inputs_are_json_schema(diptych, greeting):
    schema = diptych("inputs", greeting, "--json").json
    assert schema["properties"]["who"]["type"] == "string"
    assert schema["properties"]["who"]["default"] == "world"


def test_nodes_have_json_schema_params(diptych):
    nodes = {node["id"]: node for node in diptych("nodes", "--json").json["nodes"]}
    steps = nodes["diffusion.text_to_image"]["params"]["properties"]["steps"]
    assert steps["minimum"] == 1
    assert {"name": "model", "type": "DiffusionModel"}.items() <= nodes["diffusion.text_to_image"]["inputs"][
        0
    ].items()


def test_models_are_listed_and_probed(diptych, tmp_path):
    ids = {model["id"] for model in diptych("models", "--json").json["models"]}
    assert {"starter/text-to-image", "starter/upscaler"} <= ids
    (tmp_path / "evil.safetensors").write_bytes(b"\x80\x04\x95 not a model")
    result = diptych("models", "probe", "evil.safetensors", "--json")
    assert result.code == 1
    assert result.json["models"][0]["problem"]


def test_an_engine_can_be_driven_by_json_lines(diptych, greeting):
    requests = [
        {"kind": "validate", "request": "v", "graph": greeting.read_text()},
        {"kind": "nonsense"},
        {"kind": "run", "job": "1", "graph": greeting.read_text()},
        {"kind": "nodes", "request": "n"},
    ]
    lines = "\n".join(json.dumps(item) for item in requests) + "\n"
    result = diptych("engine", "--stdio", stdin=lines)
    events = [json.loads(line) for line in result.out.splitlines()]
    kinds = [event["kind"] for event in events]
    assert kinds[0] == "ready"
    assert "failure" in kinds
    assert result.code == 0
    finished = next(event for event in events if event["kind"] == "run_finished")
    assert finished["result"]["outputs"] == {"join": {"text": "hello world"}}
