"""What can be wrong with a backup, or with the place it is restored to."""

from __future__ import annotations

from typing import Any

from mixpeek.errors import Conflict, PlatformError


class BackupIncomplete(PlatformError):
    """Not everything that the database refers to could be backed up."""

    code = "backup.incomplete"
    hint = "Put them back into the object store, or keep a backup without them with `--despite-faults`"


class BackupDamaged(PlatformError):
    """This is not a whole backup, or it was changed since it was made."""

    code = "backup.damaged"
    hint = "Restore another backup; `mixpeek backup verify` tells whether one is whole"


class BackupUnknown(PlatformError):
    """This backup was made by a newer program."""

    code = "backup.unknown"
    hint = "Restore it with the program version that made it, or a newer one"


class NotEmpty(Conflict):
    """A backup is restored into an empty system only."""

    code = "backup.not_empty"
    hint = (
        "Restore before the first `mixpeek serve`, into a new data dir or a database and an object store made just now"
    )


class VectorsMissing(Conflict):
    """The vectors of this backup's documents lay in a store of their own, and are not there."""

    code = "backup.vectors_missing"
    hint = (
        "Restore a snapshot of that store and name it by MIXPEEK_DOCUMENTS_URL; or give `--without-vectors`, and run"
        " the batches of every collection again: until then searches find nothing"
    )


def finding(rule: str, path: str, message: str, hint: str = "") -> dict[str, Any]:
    """Return one finding in the form that `validation_errors` and the command line have."""
    return {"rule": rule, "severity": "error", "path": path, "message": message, "hint": hint}
