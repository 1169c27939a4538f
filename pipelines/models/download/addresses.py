"""To which addresses of the internet a download may connect, and the connection itself.

An address that somebody sends may name a server inside the user's own network, or come to name one between
two look-ups. So a name is looked up once, every address it has must be public, and the connection goes to
the address that was checked. Nothing listens here: this is the only module of ours that touches sockets.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from socket import IPPROTO_TCP, SHUT_RDWR, create_connection, getaddrinfo, socket
from typing import Final

from pipelines.errors import DownloadOffline

OFFLINE_VARIABLES: Final = (
    "DIPTYCH_OFFLINE",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HF_DATASETS_OFFLINE",
)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class PrivateAddress(Exception):
    """A name that stands for an address that isn't public."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom a download may talk to.

    ``offline`` says why nobody, if so. ``local`` are servers (``host:port``) that may be reached without
    https and at any address: none in the product, the tests' own server in tests.
    """

    offline: str = ""
    local: frozenset[str] = frozenset()

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Policy:
        """By the variables that Hugging Face's libraries honour, and our own. To be asked before any of these
        libraries is imported, since Diptych sets them itself then."""
        for name in OFFLINE_VARIABLES:
            if environment.get(name, "").strip().upper() in ("1", "ON", "YES", "TRUE"):
                return cls(f"{name} is set.")
        return cls()

    def check(self, name: str) -> None:
        """Raise :class:`DownloadOffline` if nothing may be downloaded."""
        if self.offline:
            raise DownloadOffline(name=name, reason=self.offline)

    def is_local(self, host: str, port: int) -> bool:
        return f"{host}:{port}" in self.local


def is_public(text: str) -> bool:
    """Whether an address is one of the internet: not of this computer, a local network, or a special use."""
    address: _Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            address = inner
    return address.is_global and not address.is_multicast


def literal(host: str) -> str | None:
    """The address, if a host is written as one."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None


def resolve(host: str, port: int, policy: Policy) -> tuple[str, ...]:
    """The addresses of a host, all of them checked.

    Raises:
        PrivateAddress: one of them isn't public.
        OSError: the name isn't known.
    """
    found = getaddrinfo(host, port, proto=IPPROTO_TCP)
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not policy.is_local(host, port):
        for address in addresses:
            if not is_public(address):
                raise PrivateAddress(address)
    return addresses


def connect(addresses: Iterable[str], port: int, seconds: float) -> socket:
    """A connection to the first address that answers. Raises :class:`OSError` of the last one."""
    last: OSError = OSError("it has no address")
    for address in addresses:
        try:
            return create_connection((address, port), seconds)
        except OSError as error:
            last = error
    raise last


def hang_up(connected: socket) -> None:
    """End a connection, from any thread: whoever waits for it to send something wakes up."""
    with contextlib.suppress(OSError):
        connected.shutdown(SHUT_RDWR)
