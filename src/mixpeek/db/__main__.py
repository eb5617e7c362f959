"""`python -m mixpeek.db`: wait for the database in `MIXPEEK_DATABASE_URL` and migrate it."""

from __future__ import annotations

import os
import sys

from mixpeek.db.pool import Database
from mixpeek.db.schema import current, head, migrate, wait_until_migrated
from mixpeek.errors import MixpeekError


def main() -> int:
    url = os.environ["MIXPEEK_DATABASE_URL"]
    try:
        database = Database(url)
        if not os.environ.get("MIXPEEK_DATABASE_IS_NEW"):
            database.open()
            database.close()
            if current(url) == head():
                return 0
            if os.environ.get("MIXPEEK_MIGRATE") == "command":
                wait_until_migrated(url)
                return 0
        else:
            # A database being created: load the migration machinery while it comes up.
            import alembic.command  # noqa: F401

            database.open()
            database.close()
        migrate(url)
    except MixpeekError as error:
        print(f"{error.message}\n{error.hint or ''}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
