"""The packer: turns a plugin's folder into an archive whose bytes depend on its files only.

Left out is what the defaults name, what the folder's own `.gitignore` files name, and what `.mixpeekignore` names; the
last word is the latter's, so `!pattern` there brings a file back. Ignore files above the folder do not count.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import pathspec

from mixpeek.inspection.entries import EntryNames, split_name
from mixpeek.inspection.findings import Finding, error
from mixpeek.inspection.limits import LIMITS, ArchiveLimits, ArchiveRefused

IGNORE_FILE = ".mixpeekignore"
GIT_IGNORE_FILE = ".gitignore"

_VERSION_CONTROL = (".git/", ".hg/", ".svn/")
_ENVIRONMENTS = (".venv/", "venv/", "node_modules/", ".tox/", ".nox/")
_BUILT = ("__pycache__/", "*.py[cod]", "*.egg-info/", "/build/", "/dist/", ".coverage", "htmlcov/")
_CACHES = (".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".hypothesis/", ".ipynb_checkpoints/")
_DESKTOP = (".idea/", ".vscode/", ".DS_Store", "._*")
_SECRETS = (".env", ".env.*", "*.pem", ".netrc", ".pypirc")
DEFAULT_IGNORES = (*_VERSION_CONTROL, *_ENVIRONMENTS, *_BUILT, *_CACHES, *_DESKTOP, *_SECRETS)

# The earliest time a zip entry can carry; tar uses the epoch.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644
# Half the time of zlib's default for code that comes out a twenty-fifth larger; weights hardly shrink at any level.
_LEVEL = 4


def pack_directory(path: Path, fmt: Literal["tar.gz", "zip"] = "tar.gz", limits: ArchiveLimits = LIMITS) -> bytes:
    """Return the folder as an archive with the folder's name as its only top-level entry.

    The same files give the same bytes, whenever and wherever they are packed.

    Raises: ArchiveRefused: a link, a special file, a name no server would accept, or more than the limits allow.
    """
    folder = path.resolve()
    files = list_packed(folder, limits)
    pack = _zip if fmt == "zip" else _tar_gz
    return pack([(f"{folder.name or '.'}/{name}", folder / name) for name in files])


def list_packed(folder: Path, limits: ArchiveLimits = LIMITS) -> list[str]:
    """Return the paths, below the folder and sorted, of the files that `pack_directory` takes.

    Raises: ArchiveRefused: as `pack_directory`.
    """
    findings: list[Finding] = []
    names = EntryNames()
    files: list[str] = []
    size_bytes = 0
    top = folder.resolve().name
    if isinstance(finding := split_name(top), Finding):
        findings.append(finding)
        top = "."
    for path in _Walk(folder).kept():
        name = path.relative_to(folder).as_posix()
        fault = _check(path, name, top or ".", names)
        if fault:
            findings.append(fault)
        else:
            files.append(name)
            size_bytes += path.stat().st_size
    if len(files) > limits.files:
        findings.append(_too_much(f"{len(files)} files, and {limits.files} are allowed"))
    if size_bytes > limits.unpacked_bytes:
        findings.append(_too_much(f"{size_bytes} bytes, and {limits.unpacked_bytes} are allowed"))
    if findings and not (folder / "manifest.py").is_file():
        # All of them follow from the wrong folder.
        hint = "Change to the folder that `mixpeek plugin init` made, or name it with `--path`"
        missing = error("structure.missing_file", f"{folder.resolve()} is no plugin: it has no manifest.py", hint=hint)
        raise ArchiveRefused([missing])
    if not files and not findings:
        findings.append(error("archive.empty", "The folder holds no files to pack", hint="Check the path"))
    if findings:
        raise ArchiveRefused(findings)
    return sorted(files)


def list_left_out_by_git(folder: Path) -> list[str]:
    """Return the files and folders (these with a slash at their end) that only a `.gitignore` keeps out."""
    walk = _Walk(folder)
    for _ in walk.kept():
        pass
    return sorted(walk.left_out_by_git)


_GitSpecs = tuple[tuple[Path, pathspec.GitIgnoreSpec], ...]
"""The `.gitignore` files that count for a folder, each with where it lies, outermost first."""


class _Walk:
    """One pass over a plugin's folder, deciding for each file and folder in it."""

    def __init__(self, folder: Path) -> None:
        self.left_out_by_git: list[str] = []
        self._folder = folder
        self._defaults = _spec_from(DEFAULT_IGNORES)
        self._own = _read_spec(folder / IGNORE_FILE)

    def kept(self) -> Iterator[Path]:
        """Give the path of each file to pack."""
        waiting: list[tuple[Path, _GitSpecs]] = [(self._folder, ())]
        while waiting:
            inside, above = waiting.pop()
            git = (*above, (inside, spec)) if (spec := _read_spec(inside / GIT_IGNORE_FILE)) else above
            for path in sorted(inside.iterdir()):
                is_folder = path.is_dir() and not path.is_symlink()
                if self._leaves_out(path, is_folder, git):
                    continue
                if is_folder:
                    waiting.append((path, git))
                else:
                    yield path

    def _leaves_out(self, path: Path, is_folder: bool, git: _GitSpecs) -> bool:
        # A folder left out is not entered, so a large environment costs nothing.
        name = _name(path, self._folder, is_folder)
        if (own := _decides(self._own, name)) is not None:
            return own
        # As in git, the nearest file that says something about a path decides.
        for folder, spec in reversed(git):
            if (decided := _decides(spec, _name(path, folder, is_folder))) is not None:
                if decided and not _decides(self._defaults, name):
                    self.left_out_by_git.append(name)
                return decided
        return bool(_decides(self._defaults, name))


def _read_spec(path: Path) -> pathspec.GitIgnoreSpec | None:
    if not path.is_file():
        return None
    return _spec_from(path.read_text(encoding="utf-8", errors="replace").splitlines())


def _spec_from(lines: Iterable[str]) -> pathspec.GitIgnoreSpec:
    # Not the engine that happens to be installed: some raise for names that are no UTF-8, which are reported elsewhere.
    return pathspec.GitIgnoreSpec.from_lines(lines, backend="simple")


def _decides(spec: pathspec.GitIgnoreSpec | None, name: str) -> bool | None:
    """Return whether an ignore file leaves a path out (True), brings it back (False), or does not say (None)."""
    return None if spec is None else spec.check_file(name).include


def _name(path: Path, folder: Path, is_folder: bool) -> str:
    return path.relative_to(folder).as_posix() + ("/" if is_folder else "")


def _check(path: Path, name: str, top: str, names: EntryNames) -> Finding | None:
    if path.is_symlink():
        return error(
            "archive.link",
            f"`{name}` is a link",
            path=name,
            hint=f"Put the file itself in its place, or name it in {IGNORE_FILE}",
        )
    if not path.is_file():
        return error(
            "archive.special_file",
            f"`{name}` is not a plain file",
            path=name,
            hint=f"Remove it, or name it in {IGNORE_FILE}",
        )
    parts = split_name(name)
    if isinstance(parts, Finding):
        return parts
    # In the archive the folder's own name comes before it, which may make it too long or too deep.
    whole = split_name(f"{top}/{name}")
    return whole if isinstance(whole, Finding) else names.claim(parts, is_folder=False)


def _too_much(what: str) -> Finding:
    return error("archive.too_much", f"The folder holds {what}", hint=f"Name what is not needed in {IGNORE_FILE}")


def _tar_gz(entries: list[tuple[str, Path]]) -> bytes:
    out = io.BytesIO()
    # No name and no time in the gzip header: both would differ between two packings of the same files.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=_LEVEL, mtime=0) as packed,
        tarfile.TarFile(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, path in entries:
            info = tarfile.TarInfo(name)
            content = path.read_bytes()
            info.size, info.mode, info.mtime = len(content), 0o644, 0
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _zip(entries: list[tuple[str, Path]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, path in entries:
            info = zipfile.ZipInfo(name, date_time=_ZIP_TIME)
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, _FILE_MODE << 16, 3
            archive.writestr(info, path.read_bytes())
    return out.getvalue()
