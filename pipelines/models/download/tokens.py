"""The user's access token for the Hugging Face hub: from the environment, the keyring, or where the hub's own
tools keep it. It is for that one host.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

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
        self._host = urlsplit(hub_address(environment)).hostname or ""
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
        return _from_keyring(self._host) or self._from_file()

    def _from_file(self) -> str:
        """As the hub's own tools keep it."""
        home = self._environment.get("HF_HOME", "")
        cache = self._environment.get("XDG_CACHE_HOME", "") or "~/.cache"
        given = self._environment.get("HF_TOKEN_PATH", "")
        path = Path(given) if given else Path(home or f"{cache}/huggingface") / "token"
        try:
            with path.expanduser().open(encoding="ascii") as file:
                return file.read(_MAX_TOKEN + 1)
        except (OSError, ValueError, RuntimeError):
            return ""


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
