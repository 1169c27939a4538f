"""``diptych models download``, as a user types it. Tests are offline, so it ends before the network."""

from __future__ import annotations


def test_offline_is_said_and_nothing_is_made(diptych) -> None:
    done = diptych("models", "download", "some/model", "--json")
    assert done.code == 1
    assert done.json["error"]["code"] == "DownloadOffline"
    assert "HF_HUB_OFFLINE is set" in done.err


def test_models_worth_having_are_listed(diptych) -> None:
    listed = diptych("models", "download", "--list", "--json").json["models"]
    assert {"id", "source", "licence", "parameters"} <= listed[0].keys()
    text = diptych("models", "download", "--list").out
    assert "pictures may be sold" in text
    assert "Weights on the card: bf16" in text
    assert diptych("models", "download", listed[0]["id"], "--json").json["error"]["code"] == "DownloadOffline"


def test_wrong_use(diptych) -> None:
    for words in (("nonsense",), ("some/model", "--parallel", "0"), ()):
        done = diptych("models", "download", *words)
        assert done.code == 2
        assert done.err
