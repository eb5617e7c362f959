"""What a backup says of itself: `backup.json`, written last, and `objects.jsonl`, one line for each object. Pure.

backup.json      versions, sizes and sha256 of the two files below, rows of each table
database.dump    pg_dump's custom format, of one snapshot
objects.jsonl    key, size and sha256 of each object
objects/KEY      the objects
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from mixpeek.backups.errors import BackupDamaged, BackupUnknown

FORMAT = 1
MANIFEST, DUMP, INDEX, OBJECTS = "backup.json", "database.dump", "objects.jsonl", "objects/"
# As the platform makes them: parts of plain characters, none of which climbs.
_KEY = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9._~+=@-]+(?:/[A-Za-z0-9._~+=@-]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class File:
    """The size and the sha256 (hexadecimal) of one file."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class BackedUpObject(File):
    """A stored object and its key."""

    key: str


@dataclass(frozen=True)
class Manifest:
    """`backup.json`; `rows` counts every table in the snapshot.

    `faults` are findings that it was made in spite of, `outside` is what the platform keeps where it does not reach.
    """

    program: str
    schema: str
    taken_at: str
    postgresql: int
    database: File
    index: File
    objects: int
    objects_bytes: int
    rows: dict[str, int]
    secrets_encrypted_with: dict[str, int] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def text(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, sort_keys=True) + "\n"

    @classmethod
    def parse(cls, text: bytes) -> Manifest:
        """Return what `backup.json` says.

        Raises: BackupUnknown: of a newer format. BackupDamaged: it cannot be read.
        """
        try:
            fields = json.loads(text)
            made_as = int(fields.pop("format"))
            if made_as <= FORMAT:
                fields["database"], fields["index"] = File(**fields["database"]), File(**fields["index"])
                return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BackupDamaged(f"{MANIFEST} cannot be read: {type(error).__name__}: {error}") from error
        raise BackupUnknown(f"This backup is of format {made_as}; this program reads up to {FORMAT}")


def index_line(entry: BackedUpObject) -> bytes:
    """Return the line of `objects.jsonl` for one object."""
    return json.dumps(asdict(entry), sort_keys=True).encode() + b"\n"


def parse_index(lines: Iterable[bytes]) -> Iterator[BackedUpObject]:
    """Yield the objects of `objects.jsonl`; raise BackupDamaged for a line that is not one."""
    for number, line in enumerate(lines, 1):
        try:
            entry = BackedUpObject(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise BackupDamaged(f"{INDEX}:{number} cannot be read") from error
        if not (is_key(entry.key) and _SHA256.fullmatch(entry.sha256) and type(entry.size_bytes) is int):
            raise BackupDamaged(f"{INDEX}:{number} names no object of the platform")
        yield entry


def is_key(key: object) -> bool:
    """Tell whether a text can be an object's key: one that leads out of the backup's folder cannot."""
    return isinstance(key, str) and _KEY.fullmatch(key) is not None
