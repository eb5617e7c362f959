"""What changed between two versions: their files line by line, and their manifests field by field.

Compares what it is given and reads nothing; the server and the command line both use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

# Larger files are data; their difference line by line would tell nobody anything.
MAX_TEXT_BYTES = 1024 * 1024
_CONTEXT_LINES = 3
# Pairs of lines that one comparison of two versions may look at: about a second. Past it, differing parts of a file are
# shown as removed and added in whole, which is as true, only longer.
_MAX_LINE_PAIRS = 8_000_000

_SCHEMAS = {"input": "input_schema", "output": "output_schema", "parameters": "parameter_schema"}
_COMPARED_APART = frozenset({*_SCHEMAS.values(), "features", "dependencies"})

_Block = tuple[str, int, int, int, int]
"""An opcode of difflib: tag, and the ranges of lines before and after."""


@dataclass(frozen=True)
class FileDiff:
    """One file that differs.

    ``diff`` is unified, with three lines of context; it is empty for a ``binary`` file, which is one that is not UTF-8
    text or is larger than `MAX_TEXT_BYTES`.
    """

    path: str
    status: Literal["added", "removed", "modified"]
    added_lines: int
    removed_lines: int
    diff: str
    binary: bool

    def wire(self) -> dict[str, Any]:
        """Return the entry of `files` in the answer of a diff."""
        return asdict(self)


def diff_versions(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[FileDiff]:
    """Return the files that differ, by path; the mappings hold each file's content under its path."""
    left = _MAX_LINE_PAIRS
    found: list[FileDiff] = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        status: Literal["added", "removed", "modified"]
        status = "added" if old is None else "removed" if new is None else "modified"
        old_lines, new_lines = _lines(old), _lines(new)
        if old_lines is None or new_lines is None:
            found.append(FileDiff(path, status, 0, 0, "", binary=True))
            continue
        blocks, spent = _blocks(old_lines, new_lines, left)
        left -= spent
        changed = [block for block in blocks if block[0] != "equal"]
        header = (
            f"--- {'/dev/null' if old is None else f'a/{path}'}\n+++ {'/dev/null' if new is None else f'b/{path}'}\n"
        )
        found.append(
            FileDiff(
                path,
                status,
                added_lines=sum(block[4] - block[3] for block in changed),
                removed_lines=sum(block[2] - block[1] for block in changed),
                diff=header + "".join(_hunks(old_lines, new_lines, blocks)),
                binary=False,
            )
        )
    return found


def diff_manifests(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what two manifests declare differently.

    Args:
        before, after: manifests as the server keeps them, every field under its name.
    Returns: ``changed`` names single fields, nested ones with dots (`compute_profile.batch_size`), the version among
        them; ``features`` pairs features by name; a dependency with another version number is one removed, one added.
    """
    old_dependencies, new_dependencies = _texts(before.get("dependencies")), _texts(after.get("dependencies"))
    return {
        "changed": _changed_fields(_other_fields(before), _other_fields(after)),
        "features": _diff_features(before.get("features") or [], after.get("features") or []),
        "dependencies": {
            "added": [text for text in new_dependencies if text not in old_dependencies],
            "removed": [text for text in old_dependencies if text not in new_dependencies],
        },
        "schemas": {name: (before.get(key) or {}) != (after.get(key) or {}) for name, key in _SCHEMAS.items()},
    }


def _lines(content: bytes | None) -> list[str] | None:
    """Return the lines with their ends; None if the content is not text."""
    if content is None:
        return []
    if len(content) > MAX_TEXT_BYTES or b"\0" in content:
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    # Only a line feed ends a line here, as in every tool that applies such a diff.
    lines = text.split("\n")
    last = lines.pop()
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _blocks(old: list[str], new: list[str], budget: int) -> tuple[list[_Block], int]:
    """Return difflib's opcodes for two lists of lines, and how many pairs of lines were looked at for them."""
    shorter = min(len(old), len(new))
    head = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    tail = next((at for at in range(shorter - head) if old[-1 - at] != new[-1 - at]), shorter - head)
    old_end, new_end = len(old) - tail, len(new) - tail
    pairs = (old_end - head) * (new_end - head)
    middle: list[_Block]
    if pairs > budget:
        middle, pairs = [("replace", 0, old_end - head, 0, new_end - head)], 0
    else:
        # Same head and tail are cut off first: most of a large file, as a rule.
        middle = list(SequenceMatcher(None, old[head:old_end], new[head:new_end]).get_opcodes())
    shifted = [(tag, a + head, b + head, c + head, d + head) for tag, a, b, c, d in middle]
    around = [("equal", 0, head, 0, head), *shifted, ("equal", old_end, len(old), new_end, len(new))]
    return [block for block in around if block[1] < block[2] or block[3] < block[4]], pairs


def _hunks(old: list[str], new: list[str], blocks: list[_Block]) -> Iterator[str]:
    matcher = SequenceMatcher(None, "", "")
    # With its opcodes given, it only groups them with their context.
    matcher.opcodes = blocks  # type: ignore[attr-defined]
    for group in matcher.get_grouped_opcodes(_CONTEXT_LINES):
        yield f"@@ -{_range(group[0][1], group[-1][2])} +{_range(group[0][3], group[-1][4])} @@\n"
        for tag, start, end, new_start, new_end in group:
            if tag == "equal":
                yield from (_marked(" ", line) for line in old[start:end])
            else:
                yield from (_marked("-", line) for line in old[start:end])
                yield from (_marked("+", line) for line in new[new_start:new_end])


def _range(start: int, end: int) -> str:
    length = end - start
    # An empty range is named by the line before it.
    first = start + 1 if length else start
    return str(first) if length == 1 else f"{first},{length}"


def _marked(sign: str, line: str) -> str:
    return f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}\n\\ No newline at end of file\n"


def _other_fields(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_flattened({key: value for key, value in manifest.items() if key not in _COMPARED_APART}))


def _flattened(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flattened(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def _changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"field": field, "before": before.get(field), "after": after.get(field)}
        for field in sorted(before.keys() | after.keys())
        if before.get(field) != after.get(field)
    ]


def _diff_features(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    old = {str(feature.get("feature_name")): feature for feature in before}
    new = {str(feature.get("feature_name")): feature for feature in after}
    return {
        "added": [dict(feature) for name, feature in new.items() if name not in old],
        "removed": [dict(feature) for name, feature in old.items() if name not in new],
        "changed": [
            {"feature_name": name, **change}
            for name in old
            if name in new
            for change in _changed_fields(dict(_flattened(old[name])), dict(_flattened(new[name])))
        ],
    }


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
