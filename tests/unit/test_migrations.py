"""The migrations are one chain, told here in a moment rather than by every server that does not start."""

from __future__ import annotations

from alembic.script import ScriptDirectory

from mixpeek.db import schema


def test_migrations_are_one_chain_in_the_order_of_their_numbers() -> None:
    scripts = ScriptDirectory(str(schema.MIGRATIONS))

    chain = [each.revision for each in scripts.walk_revisions()]

    assert scripts.get_heads() == [schema.head()]
    assert chain == sorted(schema.revisions(), reverse=True)
