"""One request over https, with redirects followed by ourselves: each hop is checked as the first one was,
and the token goes to its own server only.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Final, Protocol, Self
from urllib.parse import SplitResult, quote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from pipelines.errors import DownloadRefused
from pipelines.models.download.addresses import (
    Policy,
    PrivateAddress,
    connect,
    hang_up,
    is_public,
    literal,
    resolve,
)

MAX_REDIRECTS: Final = 8
USER_AGENT: Final = "diptych"
_REDIRECTS: Final = (301, 302, 303, 307, 308)

Tokens = Callable[[str], str]
"""The access token for a host; empty if there is none."""


class Headers(Protocol):
    """What an answer says of itself, by names whose case doesn't matter."""

    def get(self, name: str, default: str) -> str: ...


class ConnectionBroken(Exception):
    """The server can't be reached, or stopped in the middle; the text says how. Worth another try."""


class Answer:
    """What a server answered: ``status``, ``headers``, and the body to read. A context manager."""

    def __init__(self, connection: HTTPConnection, response: HTTPResponse, url: str) -> None:
        self.status = response.status
        self.headers: Headers = response.headers
        self.url = url
        self._connection = connection
        self._response = response

    def read(self, limit: int) -> bytes:
        """The next bytes, as many as are there, at most ``limit``; empty at the end.

        Raises:
            ConnectionBroken: it stopped.
        """
        try:
            return self._response.read1(limit)
        except (
            OSError,
            HTTPException,
            ValueError,
            AttributeError,
        ) as error:  # the last two: closed meanwhile
            raise ConnectionBroken(reason_of(error)) from error

    def close(self) -> None:
        """End it, from any thread: a read that waits ends, too."""
        sock = self._connection.sock
        if sock is not None:
            hang_up(sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._response.close()
        self._connection.close()


class _Pinned(HTTPConnection):
    """A connection to addresses that were checked; the server's certificate must be of its name."""

    def __init__(self, url: SplitResult, policy: Policy, seconds: float) -> None:
        self._url = url
        self._policy = policy
        self._proxy = _proxy_of(url)
        super().__init__(url.hostname or "", port_of(url), timeout=seconds)

    def connect(self) -> None:
        host, port = self._url.hostname or "", port_of(self._url)
        seconds = float(self.timeout or 30)
        if self._proxy is not None:
            self.sock = connect([self._proxy.hostname or ""], self._proxy.port or 3128, seconds)
            self._open_tunnel(host, port)
        else:
            self.sock = connect(resolve(host, port, self._policy), port, seconds)
        if self._url.scheme == "https":
            self.sock = _tls().wrap_socket(self.sock, server_hostname=host)

    def _open_tunnel(self, host: str, port: int) -> None:
        request = f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
        self.sock.sendall(request.encode("ascii"))
        answer = HTTPResponse(self.sock, method="CONNECT")
        answer.begin()
        if answer.status != 200:
            raise OSError(f"the proxy answered {answer.status}")


def request(
    url: str, headers: Mapping[str, str], policy: Policy, tokens: Tokens, seconds: float = 30.0
) -> Answer:
    """Ask for ``url``, following redirects.

    Args:
        headers: sent on every hop; never a token.
        seconds: after which a server that says nothing is given up.

    Raises:
        DownloadOffline: nothing may be downloaded.
        DownloadRefused: it isn't https, or leads to an address that isn't public.
        ConnectionBroken: the server can't be reached.
    """
    policy.check(shown(url))
    for _ in range(MAX_REDIRECTS):
        parts = checked(url, policy)
        host = parts.hostname or ""
        token = tokens(host) if parts.scheme == "https" or policy.is_local(host, port_of(parts)) else ""
        own = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close"}
        if token:
            own["Authorization"] = f"Bearer {token}"
        answer = _ask(url, parts, {**headers, **own}, policy, seconds)
        if answer.status not in _REDIRECTS:
            return answer
        location = answer.headers.get("Location", "")
        with answer:
            if not location:
                raise ConnectionBroken("the server sends away without saying where to")
        url = urljoin(url, location)
    raise DownloadRefused(url=shown(url), reason="It is sent from one address to the next without an end.")


def checked(url: str, policy: Policy) -> SplitResult:
    """The parts of an address that may be opened. Raises :class:`DownloadRefused`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", port_of(parts)
    except ValueError as error:
        raise DownloadRefused(url=url[:200], reason="It is no address.") from error
    reason = ""
    if not host or parts.username is not None or parts.password is not None or not url.isprintable():
        reason = "It is no plain address of a server and a file."
    elif not policy.is_local(host, port):
        if parts.scheme != "https":
            reason = "It isn't https, so anybody on the way could change what arrives."
        elif (address := literal(host)) is not None and not is_public(address):
            reason = "It leads into a private network, not to a public server."
    elif parts.scheme not in ("http", "https"):
        reason = "It is neither http nor https."
    if reason:
        raise DownloadRefused(url=shown(url), reason=reason)
    return parts


def shown(url: str) -> str:
    """An address for people: without its query, which may hold a signature."""
    return url.partition("?")[0].partition("#")[0][:200]


def port_of(parts: SplitResult) -> int:
    return parts.port or (80 if parts.scheme == "http" else 443)


def reason_of(error: BaseException) -> str:
    """What went wrong with a connection, as a part of a sentence."""
    if isinstance(error, TimeoutError):
        return "the server didn't answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate isn't valid ({error.verify_message})"
    if isinstance(error, HTTPException):
        return "the connection ended too early"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)[:200]


def _ask(url: str, parts: SplitResult, headers: Mapping[str, str], policy: Policy, seconds: float) -> Answer:
    connection = _Pinned(parts, policy, seconds)
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    try:
        connection.request("GET", target, headers=dict(headers))
        return Answer(connection, connection.getresponse(), url)
    except PrivateAddress as error:
        connection.close()
        reason = f"It leads into a private network ({error}), not to a public server."
        raise DownloadRefused(url=shown(url), reason=reason) from error
    except (OSError, HTTPException, UnicodeError) as error:
        connection.close()
        raise ConnectionBroken(f"{parts.hostname}: {reason_of(error)}") from error


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if find_spec("certifi") is not None:  # where Python knows no certificates of the system's
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _proxy_of(url: SplitResult) -> SplitResult | None:
    """The proxy that the user's system says for https, if it says one for this host."""
    host: Any = url.hostname or ""
    proxy = getproxies().get("https", "")
    if url.scheme != "https" or not proxy or proxy_bypass(host):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")
