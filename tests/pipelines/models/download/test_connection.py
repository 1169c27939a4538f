"""Whom a download talks to: public servers, over https; and the token only with its own."""

from __future__ import annotations

import pytest

from pipelines.errors import DownloadOffline, DownloadRefused, WrongUse
from pipelines.models.download import addresses
from pipelines.models.download.addresses import Policy, is_public
from pipelines.models.download.connection import request
from pipelines.models.download.source import AddressSource, HubSource, parse
from pipelines.models.download.tokens import HubToken, hub_address
from tests.helpers.file_server import Server, file_server


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0",
        "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_of_the_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/m", "https://[::1]/m", "https://10.1.2.3:8443/m", "https://169.254.169.254/latest",
        "https://[::ffff:192.168.0.1]/m", "http://example.org/m", "ftp://example.org/m", "file:///etc/passwd",
        "https:///m", "https://user:word@example.org/m", "https://example.org:99999/m", "https://exam ple/\n",
    ],
)  # fmt: skip
def test_addresses_that_are_refused_unasked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "create_connection", None)  # nobody may even try
    with pytest.raises(DownloadRefused):
        request(url, {}, Policy(), lambda host: "")


@pytest.mark.parametrize("found", [["10.0.0.7"], ["93.184.215.14", "127.0.0.1"], ["::1"]])
def test_a_name_that_stands_for_a_private_address(found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One is enough: who answers for the name could send the next one there."""
    monkeypatch.setattr(addresses, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (ip, 0)) for ip in found])
    monkeypatch.setattr(addresses, "create_connection", None)
    with pytest.raises(DownloadRefused, match="private network"):
        request("https://models.example.org/m?secret=1", {}, Policy(), lambda host: "")


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def fail(address: tuple[str, int], seconds: float) -> None:
        tried.append(address)
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(addresses, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("93.184.215.14", 0))])
    monkeypatch.setattr(addresses, "create_connection", fail)
    with pytest.raises(Exception, match="refused"):
        request("https://models.example.org/m", {}, Policy(), lambda host: "")
    assert tried == [("93.184.215.14", 443)]


def test_a_redirect_is_checked_and_gets_no_token(server: Server) -> None:
    with file_server() as other:
        elsewhere = f"localhost:{other.port}"
        server.serve("/m", b"", f"go http://{elsewhere}/file", "go /here", always=False)
        server.serve("/here", b"mine")
        other.serve("/file", b"theirs")
        policy = server.policy(elsewhere)
        tokens = {"127.0.0.1": "secret"}
        for expected in (b"theirs", b"mine"):
            with request(f"{server.url}/m", {}, policy, lambda host: tokens.get(host, "")) as answer:
                assert answer.read(100) == expected
        assert all(asked.headers["Authorization"] == "Bearer secret" for asked in server.asked)
        assert "Authorization" not in other.asked[0].headers


@pytest.mark.parametrize(
    "location",
    ["https://127.0.0.1:1/x", "http://example.org/x", "https://192.168.0.1/", "file:///etc/passwd"],
)
def test_a_redirect_can_not_lead_into_the_network_of_the_user(server: Server, location: str) -> None:
    server.serve("/m", b"", f"go {location}")
    with pytest.raises(DownloadRefused):
        request(f"{server.url}/m", {}, server.policy(), lambda host: "")


def test_redirects_in_circles_end(server: Server) -> None:
    server.serve("/m", b"", "go /m", always=True)
    with pytest.raises(DownloadRefused, match="without an end"):
        request(f"{server.url}/m", {}, server.policy(), lambda host: "")
    assert len(server.asked) == 8


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "DIPTYCH_OFFLINE"])
def test_offline_is_honoured(name: str) -> None:
    policy = Policy.of_environment({name: "1"})
    with pytest.raises(DownloadOffline, match=name):
        request("https://example.org/m", {}, policy, lambda host: "")
    assert not Policy.of_environment({name: "0"}).offline


def test_the_token_is_for_the_hub_alone() -> None:
    token = HubToken({"HF_TOKEN": " hf_abc\n"})
    assert token("huggingface.co") == "hf_abc"
    for host in ("example.org", "cdn-lfs.huggingface.co", "huggingface.co.example.org", ""):
        assert token(host) == ""
    mirror = {"HF_TOKEN": "hf_abc", "HF_ENDPOINT": "https://mirror.example.org/"}
    assert hub_address(mirror) == "https://mirror.example.org"
    assert HubToken(mirror)("huggingface.co") == ""
    assert HubToken(mirror)("mirror.example.org") == "hf_abc"
    assert HubToken({"HF_TOKEN": "a\r\nX-Evil: 1"})("huggingface.co") == ""


def test_the_token_of_the_keyring_and_of_the_hubs_own_tools(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keyring

    (tmp_path / "token").write_text("from-file\n")
    monkeypatch.setattr(keyring, "get_password", lambda service, name: None)
    assert HubToken({"HF_HOME": str(tmp_path)})("huggingface.co") == "from-file"
    monkeypatch.setattr(keyring, "get_password", lambda service, name: f"{service}:{name}")
    assert HubToken({"HF_HOME": str(tmp_path)})("huggingface.co") == "diptych:huggingface.co"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("owner/name", HubSource("owner/name")),
        ("owner/name@v1.0", HubSource("owner/name", "v1.0")),
        ("owner/name/a/b.safetensors", HubSource("owner/name", "main", "a/b.safetensors")),
        ("https://huggingface.co/owner/name", HubSource("owner/name")),
        ("https://huggingface.co/owner/name/tree/fp16", HubSource("owner/name", "fp16")),
        ("https://huggingface.co/owner/name/blob/main/x.gguf?download=true",
         HubSource("owner/name", "main", "x.gguf")),
        ("https://example.org/a/b%20c.safetensors?x=1",
         AddressSource("https://example.org/a/b%20c.safetensors?x=1")),
    ],
)  # fmt: skip
def test_what_a_text_means(text: str, source: object) -> None:
    assert parse(text) == source


@pytest.mark.parametrize(
    "text", ["", "name", "../../etc/passwd", "owner/name@", "-o/x", "https://example.org/", "a b/c"]
)
def test_texts_that_mean_nothing(text: str) -> None:
    with pytest.raises(WrongUse):
        parse(text)
