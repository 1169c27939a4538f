"""The user's access token for the Hugging Face hub: from the environment, the keyring, or where the hub's own
tools keep it. It is for that one host.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pipelines.errors import KeyringUnusable, TokenUnsound

HUB: Final = "https://huggingface.co"
SERVICE: Final = "diptych"
"""Under which the keyring has the token; the user's name there is the host."""

_VARIABLES: Final = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_MAX_TOKEN: Final = 512


def hub_address(environment: Mapping[str, str] = os.environ) -> str:
    """The hub, or the mirror of it that the user chose (``HF_ENDPOINT``); without a slash at its end."""
    return environment.get("HF_ENDPOINT", "").strip().rstrip("/") or HUB


class HubToken:
    """The token, for the hub's host alone. Called with a host."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._host = _hub_host(environment)
        self._token: str | None = None

    def __call__(self, host: str) -> str:
        if host != self._host:
            return ""
        if self._token is None:
            self._token = _sound(self._find())
        return self._token

    def _find(self) -> str:
        for name in _VARIABLES:
            if self._environment.get(name, "").strip():
                return self._environment[name]
        return _from_keyring(self._host) or self.from_file()

    def from_file(self) -> str:
        """As the hub's own tools keep it; empty if they don't."""
        home = self._environment.get("HF_HOME", "")
        cache = self._environment.get("XDG_CACHE_HOME", "") or "~/.cache"
        given = self._environment.get("HF_TOKEN_PATH", "")
        path = Path(given) if given else Path(home or f"{cache}/huggingface") / "token"
        try:
            with path.expanduser().open(encoding="ascii") as file:
                return file.read(_MAX_TOKEN + 1)
        except (OSError, ValueError, RuntimeError):
            return ""


Origin = Literal["", "environment", "keyring", "file"]


def token_origin(environment: Mapping[str, str] = os.environ) -> Origin:
    """Where the token comes from that downloads use; empty if there is none. Asks the keyring: for
    workers."""
    if any(environment.get(name, "").strip() for name in _VARIABLES):
        return "environment"
    if _from_keyring(_hub_host(environment)):
        return "keyring"
    return "file" if HubToken(environment).from_file() else ""


def keep_token(token: str, environment: Mapping[str, str] = os.environ) -> None:
    """Put a token into the keyring, and nowhere else; an empty one takes it out. For workers.

    Raises:
        TokenUnsound: it is no token.
        KeyringUnusable: this system has no keyring, or it is locked.
    """
    import keyring
    from keyring.errors import KeyringError, PasswordDeleteError

    sound, host = _sound(token), _hub_host(environment)
    if token.strip() and (not sound or " " in sound):
        raise TokenUnsound()
    try:
        if sound:
            keyring.set_password(SERVICE, host, sound)
        else:
            with contextlib.suppress(PasswordDeleteError):  # there was none
                keyring.delete_password(SERVICE, host)
    except (KeyringError, RuntimeError, OSError) as error:
        raise KeyringUnusable(reason=f"{str(error)[:200].rstrip('.') or type(error).__name__}.") from error


def _hub_host(environment: Mapping[str, str]) -> str:
    return urlsplit(hub_address(environment)).hostname or ""


def _from_keyring(host: str) -> str:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(SERVICE, host) or ""
    except (KeyringError, RuntimeError, OSError):  # no keyring here, or it is locked
        return ""


def _sound(token: str) -> str:
    """A token that can stand in a header, else nothing."""
    token = token.strip()
    return token if len(token) <= _MAX_TOKEN and token.isascii() and token.isprintable() else ""
