"""The migrations are one chain, and each either only adds or says which programs it ends."""

from __future__ import annotations

import re

import pytest
from alembic.script import ScriptDirectory

from mixpeek.db import schema


def test_migrations_are_one_chain_in_the_order_of_their_numbers() -> None:
    scripts = ScriptDirectory(str(schema.MIGRATIONS))

    chain = [each.revision for each in scripts.walk_revisions()]

    assert scripts.get_heads() == [schema.head()]
    assert chain == sorted(schema.revisions(), reverse=True)


# From here on a server may run on a schema newer than its own.
FLOOR = "0045"
# What an older program may trip over, or what holds it up: a lock for as long as a whole table takes to read.
TAKES_AWAY = re.compile(
    r"\bDROP\s+(TABLE|COLUMN|FUNCTION|CONSTRAINT|VIEW|SEQUENCE|TRIGGER)\b|\bRENAME\b|\bSET\s+NOT\s+NULL\b|\bALTER\s+COLUMN\s+\w+\s+TYPE\b"
    r"|\bADD\s+CONSTRAINT\b(?![^;]*NOT\s+VALID)",
    re.IGNORECASE,
)


def takes_away_silently(text: str) -> list[str]:
    """Return what a migration takes from older programs, unless it says so by raising the floor."""
    without_comments = re.sub(r"--[^\n]*", "", text)
    if re.search(r"UPDATE\s+schema_floor\b", without_comments, re.IGNORECASE):
        return []
    return [match[0] for match in TAKES_AWAY.finditer(without_comments)]


def test_migrations_since_the_floor_only_add_or_raise_it() -> None:
    later = [path for path in (schema.MIGRATIONS / "versions").glob("*.*") if path.name.split("_")[0] > FLOOR]

    assert {path.name: found for path in later if (found := takes_away_silently(path.read_text()))} == {}


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("ALTER TABLE a ADD COLUMN b text;", False),
        ("CREATE TABLE a (b text NOT NULL);", False),
        ("-- DROP TABLE a;\nCREATE INDEX b ON a (c);", False),
        ("ALTER TABLE a ADD CONSTRAINT b CHECK (c > 0) NOT VALID;", False),
        ("ALTER TABLE a DROP COLUMN b;", True),
        ("ALTER TABLE a RENAME COLUMN b TO c;", True),
        ("ALTER TABLE a ALTER COLUMN b SET NOT NULL;", True),
        ("ALTER TABLE a ALTER COLUMN b TYPE bigint;", True),
        ("ALTER TABLE a ADD CONSTRAINT b CHECK (c > 0);", True),
        ("DROP TABLE a; UPDATE schema_floor SET revision = '0046';", False),
    ],
)
def test_what_a_migration_takes_away_is_seen(text: str, is_refused: bool) -> None:
    assert bool(takes_away_silently(text)) is is_refused
