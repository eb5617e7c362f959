"""The extra fields of a zip entry: the few that change what an entry is."""

from __future__ import annotations

from mixpeek.inspection.members import unreadable

ZIP64 = 0x0001
UNICODE_PATH = 0x7075
_HEAD_BYTES = 4
# Version and checksum of the name it replaces.
_PATH_AT = 5


def read_extra(raw: bytes) -> dict[int, bytes]:
    """Return the extra fields by their number; raise Unreadable if they cannot be told apart."""
    fields: dict[int, bytes] = {}
    at = 0
    while len(raw) - at >= _HEAD_BYTES:
        kind = int.from_bytes(raw[at : at + 2], "little")
        size = int.from_bytes(raw[at + 2 : at + _HEAD_BYTES], "little")
        at += _HEAD_BYTES
        if at + size > len(raw) or (kind in fields and kind in (ZIP64, UNICODE_PATH)):
            raise unreadable("archive.extra_field", "The zip file has an entry whose extra fields cannot be read")
        fields[kind] = raw[at : at + size]
        at += size
    # Tools that align entries pad this area with a few zeros.
    if raw[at:].strip(b"\0"):
        raise unreadable("archive.extra_field", "The zip file has an entry whose extra fields cannot be read")
    return fields


def renamed(extra: dict[int, bytes], raw_name: bytes) -> bytes | None:
    """Return the other name that an extra field gives the entry, None if there is none."""
    path = extra.get(UNICODE_PATH)
    if path is None or path[_PATH_AT:] == raw_name:
        return None
    return path[_PATH_AT:]
