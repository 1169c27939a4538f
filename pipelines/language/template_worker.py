"""Renders one chat template in a process of its own, with little memory and time: a template is a program.

Run by :mod:`pipelines.language.chat` as ``python -P template_worker.py``: a JSON object ``{"template",
"messages", "variables"}`` on standard input, one ``{"text"}`` or ``{"fault", "message"}`` on standard output.
It imports nothing of ours, and transformers' renderer without torch.
"""

from __future__ import annotations

import json
import sys
from typing import Any

MEMORY_BYTES = 2**30
CPU_SECONDS = 4
MAX_OUTPUT = 8 * 2**20
"""Characters of rendered text that are passed on."""


def limit_resources() -> None:
    """Bound memory and processor time, where the system can (POSIX; macOS bounds the time only).

    Elsewhere the parent's clock is the only limit.
    """
    if sys.platform == "win32":
        return
    import resource

    for kind, limit in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_SECONDS)):
        try:
            resource.setrlimit(kind, (limit, limit))
        except (OSError, ValueError):  # macOS refuses RLIMIT_AS; a lower hard limit may be set already
            continue


def render(request: dict[str, Any], limited: bool = True) -> dict[str, str]:
    """The answer to one request; every fault of a template is part of it.

    ``limited``: give this process the limits first.

    Faults: ``refused`` (the template raised its own error), ``unsafe``, ``syntax``, ``memory``, ``broken``.
    """
    from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError
    from transformers.utils.chat_template_utils import render_jinja_template

    if limited:
        limit_resources()
    try:
        rendered, _ = render_jinja_template(
            conversations=[request["messages"]],
            chat_template=request["template"],
            add_generation_prompt=True,
            **request["variables"],
        )
        text = rendered[0]
        if len(text) > MAX_OUTPUT:
            return {"fault": "memory", "message": f"{len(text):,} characters"}
        return {"text": text}
    except SecurityError as error:
        return {"fault": "unsafe", "message": str(error)[:300]}
    except TemplateSyntaxError as error:
        return {"fault": "syntax", "message": f"line {error.lineno}: {str(error.message)[:300]}"}
    except TemplateError as error:
        return {"fault": "refused", "message": str(error)[:300]}
    except (MemoryError, OverflowError) as error:
        return {"fault": "memory", "message": str(error)[:300]}
    except Exception as error:  # noqa: BLE001 - a template can raise whatever Python can
        return {"fault": "broken", "message": f"{type(error).__name__}: {str(error)[:300]}"}


def main() -> None:
    """One request, one answer."""
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    answer = render(json.loads(sys.stdin.read()))
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
