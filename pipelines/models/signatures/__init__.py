"""How models are recognised by the tensors in their headers: signatures, one module a group of families.

:func:`.registry.identify` tries them in a fixed order, the first that fits names the file; its ``nearest``
says which came closest to one that none fits. A new family is a row in one of these modules. Only what they
are made of is imported here: the studio reads a table or two of theirs.
"""

from pipelines.models.signatures.base import Found, Key, Kind, Signature, View

__all__ = ["Found", "Key", "Kind", "Signature", "View"]
