"""The files of a version: shown, handed out, and compared with those of another."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from mixpeek.errors import PlatformError
from mixpeek.inspection.diff import FileDiff, diff_manifests, diff_versions
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry

# The date of every entry, so that the same version gives the same bytes; zip knows no earlier one.
EPOCH = (1980, 1, 1, 0, 0, 0)


def read_files(registry: Registry, version: PluginVersion) -> dict[str, bytes]:
    """Return the content of every file of a version by its path."""
    root = registry.unpacked(version)
    found = {}
    for file in version.files:
        path = root / file["path"]
        if not path.is_file():
            raise PlatformError(
                f"{version.plugin_id} lacks {file['path']} in the cache", hint=f"Delete {root}; it is unpacked again"
            )
        found[file["path"]] = path.read_bytes()
    return found


def source(registry: Registry, version: PluginVersion) -> list[dict[str, Any]]:
    """Return the files of a version with their text; `text` is None for a file that is not UTF-8."""
    files = []
    for path, content in read_files(registry, version).items():
        text = _text(content)
        sha256 = next(file["sha256"] for file in version.files if file["path"] == path)
        files.append(
            {
                "path": path,
                "size_bytes": len(content),
                "sha256": sha256,
                "text": text,
                "encoding": None if text is None else "utf-8",
            }
        )
    return files


def source_zip(registry: Registry, version: PluginVersion) -> bytes:
    """Return the files of a version as a zip with one top-level folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(read_files(registry, version).items()):
            archive.writestr(zipfile.ZipInfo(f"{version.name}/{path}", EPOCH), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def diff(registry: Registry, before: PluginVersion, after: PluginVersion) -> dict[str, Any]:
    """Return what changed from one version to another: file by file, and in what the manifest declares."""
    same = before.code_hash == after.code_hash
    changes = [] if same else diff_versions(read_files(registry, before), read_files(registry, after))
    return {
        "success": True,
        "name": after.name,
        "v1": before.version,
        "v2": after.version,
        "files": [change.wire() for change in changes],
        "summary": _summary(changes, len(after.files)),
        "manifest": diff_manifests(before.manifest, after.manifest),
    }


def _summary(changes: list[FileDiff], files_after: int) -> dict[str, int]:
    counts = {
        status: sum(1 for change in changes if change.status == status) for status in ("added", "removed", "modified")
    }
    return {
        **counts,
        "unchanged": files_after - counts["added"] - counts["modified"],
        "added_lines": sum(change.added_lines for change in changes),
        "removed_lines": sum(change.removed_lines for change in changes),
    }


def _text(content: bytes) -> str | None:
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
