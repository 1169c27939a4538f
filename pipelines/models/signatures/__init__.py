"""How models are recognised by the tensors in their headers: signatures, one module a group of families.

:func:`identify` tries them in a fixed order, the first that fits names the file; :func:`nearest` says which
came closest to one that none fits. A new family is a row in one of these modules.
"""

from pipelines.models.signatures.base import Found, Key, Kind, Signature, View
from pipelines.models.signatures.registry import SIGNATURES, NearMiss, identify, nearest

__all__ = ["SIGNATURES", "Found", "Key", "Kind", "NearMiss", "Signature", "View", "identify", "nearest"]
