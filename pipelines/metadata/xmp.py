"""XMP packets: our JSON for JPEG and WebP, and IPTC's Digital Source Type for all formats.

A JPEG segment holds 64 kB; a longer JSON goes into segments of *extended XMP* behind the main packet.
Sources: ISO 16684-1 (packet), Adobe XMP Specification Part 3, section 1.1.3 (JPEG); IPTC Photo Metadata
Standard 2023.1, Digital Source Type.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

SOURCE_TYPES: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED: Final = SOURCE_TYPES + "trainedAlgorithmicMedia"
COMPOSITE: Final = SOURCE_TYPES + "compositeWithTrainedAlgorithmicMedia"
MAIN_MARK: Final = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_MARK: Final = b"http://ns.adobe.com/xmp/extension/\0"
_NAMESPACE: Final = "urn:diptych:xmp:1"
_IPTC: Final = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_SEGMENT: Final = 65_000
"""Bytes of a packet that go into one JPEG segment (its own limit is 65,533 with the marks)."""


@dataclass(frozen=True, slots=True)
class Xmp:
    """What was found: our JSON (or ``""``) and the whole address of the Digital Source Type (or ``""``)."""

    provenance: str = ""
    source_type: str = ""


def packet(provenance: str = "", source_type: str = "", tool: str = "Diptych", extended: str = "") -> bytes:
    """An XMP packet. ``provenance`` is JSON, ``extended`` the digest of the extended packet to it."""
    attributes = [f"xmp:CreatorTool={quoteattr(tool)}"]
    if source_type:
        attributes.append(f"Iptc4xmpExt:DigitalSourceType={quoteattr(source_type)}")
    if extended:
        attributes.append(f"xmpNote:HasExtendedXMP={quoteattr(extended)}")
    body = f"<diptych:provenance>{escape(provenance)}</diptych:provenance>" if provenance else ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about=""'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpNote="http://ns.adobe.com/xmp/note/"'
        f' xmlns:Iptc4xmpExt="{_IPTC}" xmlns:diptych="{_NAMESPACE}" {" ".join(attributes)}>'
        f'{body}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def jpeg_segments(provenance: str, source_type: str, tool: str) -> bytes:
    """The APP1 segments for a JPEG file, ready to stand behind its first marker."""
    whole = packet(provenance, source_type, tool)
    if len(whole) <= _SEGMENT:
        return _segment(MAIN_MARK + whole)
    body = packet(provenance, tool=tool)
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest().upper()
    parts = [_segment(MAIN_MARK + packet("", source_type, tool, digest))]
    for offset in range(0, len(body), _SEGMENT):
        head = digest.encode() + struct.pack(">II", len(body), offset)
        parts.append(_segment(EXTENDED_MARK + head + body[offset : offset + _SEGMENT]))
    return b"".join(parts)


def join_extended(parts: list[bytes]) -> bytes:
    """The extended packet from its segments (without their mark), in any order; ``b""`` if one is missing."""
    found: dict[int, bytes] = {}
    total = 0
    for part in parts:
        if len(part) > 40 and part[:32] == parts[0][:32]:
            total, offset = struct.unpack_from(">II", part, 32)
            found[offset] = part[40:]
    body = b"".join(data for _, data in sorted(found.items()))
    return body if total and len(body) == total else b""


def parse(data: bytes) -> Xmp:
    """Read a packet; broken XML, or one with a document type (a way to blow it up), counts as empty."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return Xmp()
    try:
        root = ElementTree.fromstring(data.strip(b"\0 \n\r\t"))
    except (ElementTree.ParseError, ValueError):
        return Xmp()
    provenance = source_type = ""
    for element in root.iter():
        name = element.tag
        if name == f"{{{_NAMESPACE}}}provenance":
            provenance = element.text or ""
        elif name == f"{{{_IPTC}}}DigitalSourceType":
            source_type = (element.text or element.get(f"{{{_RDF}}}resource") or "").strip()
        elif name == f"{{{_RDF}}}Description":
            source_type = element.get(f"{{{_IPTC}}}DigitalSourceType", source_type)
    return Xmp(provenance, source_type)


def _segment(data: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data
