"""A web server on this computer that behaves as badly as a test asks for."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipelines.models.download.addresses import Policy

PIECE = 8 * 2**10


@dataclass
class Served:
    """A file. ``faults`` are used up, one a request; the last one stays if ``always``.

    Faults: ``drop N`` (ends after N bytes), ``status N``, ``busy`` (429 with Retry-After), ``ignore range``,
    ``other tag``, ``wrong bytes``, ``crawl``, ``hang``, ``packed``, ``endless`` (chunks without a length),
    ``length N``, ``go URL`` (a redirect).
    """

    data: bytes
    tag: str | None = '"one"'
    faults: list[str] = field(default_factory=list)
    always: bool = False


@dataclass
class Asked:
    """One request that arrived."""

    path: str
    headers: dict[str, str]


class Server:
    """Files by path, and what was asked for."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.files: dict[str, Served] = {}
        self.asked: list[Asked] = []
        self.sent = 0
        self.ending = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def policy(self, *others: str) -> Policy:
        """One that lets a test talk to this server."""
        return Policy(local=frozenset({f"127.0.0.1:{self.port}", *others}))

    def serve(self, path: str, data: bytes, *faults: str, always: bool = False, **more: Any) -> Served:
        self.files[path] = Served(data, faults=list(faults), always=always, **more)
        return self.files[path]

    def serve_repository(
        self, name: str, files: dict[str, bytes], listed: dict[str, bytes] | None = None
    ) -> None:
        """A repository as the hub has it; ``listed`` are the contents that its list tells of."""
        commit = hashlib.sha1(name.encode()).hexdigest()
        siblings: list[dict[str, Any]] = []
        for path, data in (listed or files).items():
            entry: dict[str, Any] = {"rfilename": path, "size": len(data)}
            if path.endswith((".safetensors", ".bin", ".pth")):
                entry["lfs"] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            else:
                entry["blobId"] = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
            siblings.append(entry)
        answer = {"sha": commit, "siblings": siblings, "cardData": {"license": "mit"}, "gated": False}
        self.serve(f"/api/models/{name}/revision/main?blobs=true", json.dumps(answer).encode())
        for path, data in files.items():
            self.serve(f"/{name}/resolve/{commit}/{path}", data)


@contextmanager
def file_server() -> Iterator[Server]:
    """A server for the time of the block."""

    class Handler(_Handler):
        pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads = True
    server = Handler.server_state = Server(web.server_address[1])
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ending.set()
        web.shutdown()
        web.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_state: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        state = self.server_state
        state.asked.append(Asked(self.path, dict(self.headers)))
        served = state.files.get(self.path)
        if served is None:
            return self._say(404)
        fault = (served.faults[0] if served.always else served.faults.pop(0)) if served.faults else ""
        word, _, rest = fault.partition(" ")
        if word == "status":
            return self._say(int(rest))
        if word == "busy":
            return self._say(429, {"Retry-After": rest or "0"})
        if word == "go":
            return self._say(302, {"Location": rest})
        self.close_connection = True
        self._body(served, fault)
        return None

    def _say(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": "0"} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, served: Served, fault: str) -> None:
        data, tag = served.data, served.tag
        if fault == "wrong bytes":
            data = bytes(len(data))
        if fault == "other tag":
            tag = f'"{time.monotonic_ns()}"'
        start = self._start(served, fault)
        if start is not None and start >= len(data):
            return self._say(416, {"Content-Range": f"bytes */{len(data)}"})
        self.send_response(200 if start is None else 206)
        if tag:
            self.send_header("ETag", tag)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if fault == "packed":
            self.send_header("Content-Encoding", "gzip")
        if fault == "endless":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            length = int(fault[7:]) if fault.startswith("length ") else len(data) - (start or 0)
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self._send(data[start or 0 :], fault)
        return None

    def _start(self, served: Served, fault: str) -> int | None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked is None or fault == "ignore range":
            return None
        condition = self.headers.get("If-Range")
        return int(asked[1]) if condition in (None, served.tag) or fault == "other tag" else None

    def _send(self, data: bytes, fault: str) -> None:
        state = self.server_state
        end = int(fault[5:]) if fault.startswith("drop ") else len(data)
        try:
            for at in range(0, end, PIECE):
                piece = data[at : min(at + PIECE, end)]
                if fault == "endless":
                    piece = b"%x\r\n%s\r\n" % (len(piece), piece)
                if fault == "crawl":
                    piece = piece[:1]
                self.wfile.write(piece)
                state.sent += len(piece)
                if fault in ("crawl", "hang") and state.ending.wait(0.05 if fault == "crawl" else 20):
                    return
            if fault == "endless":
                self.wfile.write(b"0\r\n\r\n")
        except OSError:  # the other side has gone, as some tests want
            return
