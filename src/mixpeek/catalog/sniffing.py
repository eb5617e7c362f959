"""Which MIME type content has: by its signature first, then by what it was declared as, then by its name. Pure."""

from __future__ import annotations

import mimetypes

HEAD_BYTES = 8192
UNKNOWN = "application/octet-stream"
TEXT = "text/plain"

# One name for what has several; a pipeline's conditions compare by name.
_USUAL_NAMES = {"audio/x-wav": "audio/wav", "audio/x-flac": "audio/flac", "audio/x-aiff": "audio/aiff"}
# Containers whose signature does not say whether there are pictures in them.
_TWINS = {"video/mp4": "audio/mp4", "video/webm": "audio/webm", "audio/ogg": "video/ogg"}
# Signatures of a container; what was declared may say better what is in it.
_GENERIC = frozenset({"application/zip", "application/gzip"})
_TEXTUAL = frozenset(
    {"application/json", "application/xml", "application/x-ndjson", "application/yaml", "application/javascript",
     "image/svg+xml"}
)  # fmt: skip
_SPREADSHEETS = frozenset(
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/vnd.ms-excel", "text/csv",
     "application/vnd.oasis.opendocument.spreadsheet", "application/zip"}
)  # fmt: skip


def mime_type_of(head: bytes, *, declared: str | None = None, filename: str | None = None) -> str:
    """Return the MIME type of content that begins with `head` (its first `HEAD_BYTES`).

    A signature beats every declaration. Content without one keeps what was declared, else what its name says, but
    never the name of a picture or a PDF: those have signatures.
    """
    import filetype

    claims = [claim for claim in (_plain(declared), mimetypes.guess_type(filename or "")[0]) if claim]
    sniffed = filetype.guess_mime(head)
    if sniffed is not None:
        usual = _USUAL_NAMES.get(sniffed, sniffed)
        if usual in _GENERIC:
            return next((claim for claim in claims if not is_text(claim) and not _has_signature(claim)), usual)
        return next((claim for claim in claims if claim == _TWINS.get(usual)), usual)
    if _reads_as_text(head):
        return next((claim for claim in claims if is_text(claim)), TEXT)
    return next((claim for claim in claims if not is_text(claim) and not _has_signature(claim)), UNKNOWN)


def is_text(mime_type: str) -> bool:
    """Tell whether content of this type is characters."""
    return mime_type.startswith("text/") or mime_type in _TEXTUAL


def fits_kind(kind: str, mime_type: str) -> bool:
    """Tell whether a blob of type `kind` may hold this; content nothing is known about fits every kind."""
    if mime_type == UNKNOWN:
        return True
    if kind == "pdf":
        return mime_type == "application/pdf"
    if kind == "excel":
        return mime_type in _SPREADSHEETS
    family = mime_type.partition("/")[0]
    return family == kind or (family in ("audio", "video") and kind in ("audio", "video"))


def _plain(declared: str | None) -> str | None:
    bare = (declared or "").partition(";")[0].strip().lower()
    return bare if bare.count("/") == 1 and bare.isascii() and bare.isprintable() and bare != UNKNOWN else None


def _has_signature(mime_type: str) -> bool:
    return mime_type == "application/pdf" or (mime_type.startswith("image/") and not is_text(mime_type))


def _reads_as_text(head: bytes) -> bool:
    if b"\x00" in head:
        return False
    try:
        # The head may end within a character.
        return bool(head.decode("utf-8", "strict")) or not head
    except UnicodeDecodeError as error:
        return len(head) >= HEAD_BYTES and error.start >= len(head) - 3
