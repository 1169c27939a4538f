"""Messages as JSON, and back."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from pipelines.engine.protocol.events import Event
from pipelines.engine.protocol.parts import Message
from pipelines.engine.protocol.requests import Request
from pipelines.errors import ProtocolError, RequestUnreadable

_requests: TypeAdapter[Any] = TypeAdapter(Request)
_events: TypeAdapter[Any] = TypeAdapter(Event)


def read_request(data: bytes | str) -> Any:
    """A request from its JSON. Raises :class:`RequestUnreadable`."""
    try:
        return _requests.validate_json(data)
    except ValidationError as error:
        raise RequestUnreadable(reason=_first_fault(error)) from error


def read_event(data: bytes | str) -> Any:
    """An event from its JSON. Raises :class:`ProtocolError`."""
    try:
        return _events.validate_json(data)
    except ValidationError as error:
        raise ProtocolError(reason=_first_fault(error)) from error


def _first_fault(error: ValidationError) -> str:
    """Where a message breaks, in one sentence."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}."[:500] if place else f"{fault['msg']}."[:500]


def write(message: Message) -> bytes:
    """A message as JSON in one line. Half characters, which UTF-8 can't say (file names may have them),
    become question marks."""
    try:
        return message.model_dump_json().encode()
    except PydanticSerializationError:
        return json.dumps(message.model_dump(), ensure_ascii=False, default=str).encode("utf-8", "replace")
