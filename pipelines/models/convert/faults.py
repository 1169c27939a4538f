"""Why a file can't be converted, as the process that reads it says it. Texts fill the sentences of
:mod:`pipelines.errors`.
"""

from __future__ import annotations


class Fault(Exception):
    """Base; the text completes a sentence that begins with "It"… or names what was found."""


class Refused(Fault):
    """It holds something that isn't part of a plain state dict; the text names it."""


class Damaged(Fault):
    """It isn't as PyTorch writes it; the text says where."""


class TooLarge(Fault):
    """It claims more than is read or written; the text says what."""
