"""`mixpeek plugin pull`: the files of a published version, as they were published, in a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixpeek.cli.options import Name, version_given
from mixpeek.cli.session import Session, in_namespace
from mixpeek.errors import Conflict, MixpeekError, NotFound

if TYPE_CHECKING:
    from mixpeek.inspection.archive import UnpackedArchive


@in_namespace
def pull(
    session: Session,
    *,
    name: Name,
    output_folder: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where to put the files; default NAME.", show_default=False),
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="Default: the active version.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that holds files.")] = False,
) -> None:
    """Restore the files of a version into a folder, byte for byte.

    Example: `mixpeek plugin pull my_extractor --version 1.0.0 --output ./before`
    """
    from mixpeek.inspection.archive import read_archive

    client, output = session.client, session.output
    history = client.plugins.versions(name)
    chosen = _choose(history["versions"], history["name"], version)
    folder = output_folder or Path(history["name"])
    _check_free(folder, force)
    archive = client.plugins.source_archive(chosen["plugin_id"])
    folder.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that each file moves into place in one step.
    with tempfile.TemporaryDirectory(prefix=".mixpeek-pull-", dir=folder) as scratch:
        unpacked = read_archive(archive, Path(scratch) / "files")
        if unpacked.code_hash != chosen["code_hash"]:
            raise MixpeekError(
                f"The files of {chosen['plugin_id']} did not arrive as they were published",
                hint="Try again; a proxy on the way may have changed them",
            )
        other = _move(unpacked, folder)
    paths = [file.path for file in unpacked.files]
    output.document(
        {
            "success": True,
            "name": history["name"],
            "version": chosen["version"],
            "plugin_id": chosen["plugin_id"],
            "code_hash": unpacked.code_hash,
            "folder": str(folder),
            "files": paths,
            "left_as_they_are": other,
        }
    )
    output.show(f"{history['name']} {chosen['version']}: {len(paths)} files in {folder}")
    if other:
        output.say(f"Left as they are, being of no part of this version: {', '.join(other)}", "yellow")


def _choose(versions: Sequence[Mapping[str, Any]], name: str, wanted: str | None) -> Mapping[str, Any]:
    """Return the entry of the version to pull: the one named, else the active, else the newest."""
    if wanted is None:
        active = next((version for version in versions if version.get("active")), None)
        chosen = active or next(iter(versions), None)
    else:
        number = version_given(wanted)
        chosen = next((version for version in versions if version["version"] == number), None)
    if chosen is None:
        known = ", ".join(str(version["version"]) for version in versions[:10]) or "none"
        raise NotFound("version", f"{name} {wanted or ''}".strip(), hint=f"The newest versions are: {known}")
    return chosen


def _check_free(folder: Path, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise Conflict(f"`{folder}` is a file", hint="Name a folder with `--output`")
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise Conflict(
            f"`{folder}` holds files already",
            hint="Name another folder with `--output`, or overwrite what the version has with `--force`",
        )


def _move(unpacked: UnpackedArchive, folder: Path) -> list[str]:
    """Move the files into place and return what else their folders hold."""
    targets = {file.path: folder / file.path for file in unpacked.files}
    for target in targets.values():
        # A link would have the file written somewhere else.
        above = [parent for parent in target.parents if parent != folder and parent.is_relative_to(folder)]
        blocking = [parent for parent in above if parent.is_symlink() or (parent.exists() and not parent.is_dir())]
        if blocking or target.is_dir():
            raise Conflict(f"`{(blocking or [target])[0]}` is in the way", hint="Remove it, or pull into a new folder")
    for path, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        (unpacked.root / path).replace(target)
    pulled = {path for target in targets.values() for path in (target, *target.parents)}
    scratch = folder / unpacked.root.relative_to(folder).parts[0]
    others = (
        path for parent in pulled if parent.is_relative_to(folder) and parent.is_dir() for path in parent.iterdir()
    )
    return sorted(
        path.relative_to(folder).as_posix() + ("/" if path.is_dir() else "")
        for path in others
        if path not in pulled and path != scratch
    )
