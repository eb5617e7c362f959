"""`mixpeek backup`: make and verify backups, on the server's machine and while the server runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from typer.core import TyperGroup

from mixpeek.cli.keys import DataDirOption
from mixpeek.cli.options import Json
from mixpeek.cli.output import Output, output_for
from mixpeek.cli.serve import needs_server

if TYPE_CHECKING:
    from mixpeek.backups.manifest import Manifest


class _Backup(TyperGroup):
    """A group whose name alone makes a backup: `mixpeek backup PATH` is `mixpeek backup create PATH`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `create` before whatever is neither a command nor a question for help."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["create", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Backup,
    help="Back up everything the server keeps while it runs: `mixpeek backup PATH`.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
)
BackupPath = Annotated[
    Path, typer.Argument(metavar="PATH", help="A folder, or a tar if the name ends in .tar.", show_default=False)
]


@app.command("create")
def create(
    context: typer.Context,
    *,
    path: BackupPath,
    keys: Annotated[
        Path | None,
        typer.Option(help="New file for the keys of the data dir; keep it apart from the backup.", show_default=False),
    ] = None,
    despite_faults: Annotated[
        bool, typer.Option("--despite-faults", help="Keep a backup that lacks objects which were lost before.")
    ] = False,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> None:
    """Back up the database and every stored object it refers to, as they are at one moment. The server may run.

    Secrets are in it as they are stored, encrypted; keys and caches are not. Nothing is at PATH before it is whole.

    Example: `mixpeek backup create backups/monday.tar --keys keys-monday.json`
    """
    output = output_for(context, json)
    with needs_server():
        from mixpeek.backups.taking import take
        from mixpeek.config import Settings
        from mixpeek.server.key_file import check_free, read_keys, write_key_file
        from mixpeek.server.offline import database_of
        from mixpeek.server.process import object_store
    path = path.expanduser().absolute()
    if keys is not None:
        check_free(keys)
    with database_of(data_dir) as (database, directory):
        settings = Settings(data_dir=directory.path)
        before = read_keys(directory)
        manifest = take(
            database.url,
            object_store(settings),
            path,
            tell=output.say,
            despite_faults=despite_faults,
            outside=_outside(),
        )
        if keys is not None:
            write_key_file(keys, before, read_keys(directory))
    output.document({"success": True, "path": str(path), **_wire(manifest)})
    output.show(str(path))
    output.findings(manifest.faults)
    _warn_of_outside(output, manifest)
    if keys is None and manifest.secrets_encrypted_with:
        kept_in = "MIXPEEK_SECRETS_KEY" if settings.secrets_key else str(directory.path / "secrets.key")
        output.say(
            f"{sum(manifest.secrets_encrypted_with.values())} secrets can only be read with the key in {kept_in}, which"
            " is not in the backup: keep a copy of it in another place",
            "yellow",
        )


@app.command("verify")
def verify_backup(context: typer.Context, *, path: BackupPath, json: Json = False) -> None:
    """Read every byte of a backup and say whether it is whole and unchanged.

    Example: `mixpeek backup verify backups/monday.tar`
    """
    output = output_for(context, json)
    with needs_server():
        from mixpeek.backups.container import open_backup
        from mixpeek.backups.verifying import verify
    with open_backup(path) as source:
        manifest = verify(source)
    output.document({"success": True, "path": str(path), **_wire(manifest)})
    output.show(
        f"whole: taken {manifest.taken_at} by version {manifest.program}, schema {manifest.schema},"
        f" {sum(manifest.rows.values())} rows, {manifest.objects} objects"
    )
    output.findings(manifest.faults)
    _warn_of_outside(output, manifest)


def restore(
    context: typer.Context,
    *,
    path: BackupPath,
    keys: Annotated[
        Path | None, typer.Option(help="File of keys that `mixpeek backup --keys` wrote.", show_default=False)
    ] = None,
    without_vectors: Annotated[
        bool,
        typer.Option(
            "--without-vectors", help="Forget vectors that lay in Qdrant; batches that are run again make them."
        ),
    ] = False,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> None:
    """Restore a backup into an empty system.

    That is a new data dir, or a new database and object store that MIXPEEK_DATABASE_URL and MIXPEEK_OBJECTS_URL name.
    Work that was under way goes on at the next `mixpeek serve`, from the last chunk that is in the backup. Killed in
    between, the same command begins again.

    Example: `mixpeek restore backups/monday.tar --keys keys-monday.json --data-dir restored`
    """
    output = output_for(context, json)
    with needs_server():
        from mixpeek.backups.container import open_backup
        from mixpeek.backups.restoring import restore as restore_backup
        from mixpeek.db.pool import Database
        from mixpeek.documents.opening import count_vectors
        from mixpeek.secrets.keys import key_source
        from mixpeek.secrets.service import Vault
        from mixpeek.server.key_file import restore_keys
        from mixpeek.server.offline import empty_place
        from mixpeek.server.process import object_store
    warnings: list[str] = []
    with open_backup(path) as source, empty_place(data_dir) as (url, directory, settings):
        objects = object_store(settings.model_copy(update={"data_dir": directory.path}))

        def begin() -> None:
            directory.unfinished.touch(mode=0o600)
            if keys is not None:
                restore_keys(keys, directory)

        documents_url, api_key = settings.documents_url, settings.documents_api_key
        manifest = restore_backup(
            source,
            url,
            objects,
            tell=output.say,
            begin=begin,
            count_vectors=None
            if documents_url is None
            else lambda: count_vectors(documents_url, None if api_key is None else api_key.get_secret_value()),
            without_vectors=without_vectors,
        )
        if manifest.secrets_encrypted_with:
            database = Database(url, max_connections=1)
            database.open()
            with database.transaction() as connection:
                warnings = Vault(key_source(settings.secrets_key, directory.path)).faults(connection)
            database.close()
    output.document({"success": True, "data_dir": str(directory.path), "warnings": warnings, **_wire(manifest)})
    output.show(f"restored {path} into {directory.path}" + (" and its database" if settings.database_url else ""))
    output.findings(manifest.faults)
    _warn_of_outside(output, manifest)
    for warning in warnings:
        output.say(f"warning: {warning}", "yellow")


def _outside() -> list[str]:
    """Return what the platform keeps where no backup of ours reaches."""
    url = os.environ.get("MIXPEEK_DOCUMENTS_URL")
    return [f"vectors of documents, in {urlsplit(url).hostname}"] if url else []


def _warn_of_outside(output: Output, manifest: Manifest) -> None:
    for each in manifest.outside:
        output.say(f"warning: not in the backup: {each}; keep a snapshot made by that store beside it", "yellow")


def _wire(manifest: Manifest) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(manifest)
