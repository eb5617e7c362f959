"""Scan a plugin of 1,000 files and 5 MB in a process of its own: wall time and peak memory, as the median of rounds.

The plugin is made of the standard library's own sources, cut into files of whole statements. Limits: 2 s, 200 MB.
"""

from __future__ import annotations

import ast
import json
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

FILES, BYTES, ROUNDS = 1_000, 5_000_000, 5
LIMIT_S, LIMIT_MB = 2.0, 200.0


def main() -> int:
    """Print the figures against the limits; return 1 if one is broken."""
    with tempfile.TemporaryDirectory(prefix="scan-speed-") as folder:
        size = build_plugin(Path(folder))
        command = [sys.executable, __file__, "--scan", folder]
        rounds = [json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) for _ in range(ROUNDS)]
    seconds = statistics.median(one["seconds"] for one in rounds)
    peak_mb = statistics.median(one["peak_mb"] for one in rounds)
    spread = " ".join(f"{one['seconds']:.2f}" for one in rounds)
    print(f"{FILES} files, {size / 1e6:.2f} MB, {rounds[0]['findings']} findings")
    print(f"wall   {seconds:6.2f} s   limit {LIMIT_S:.0f} s    {seconds / LIMIT_S:.2f} of it   ({spread})")
    parse_s = statistics.median(one["parse_seconds"] for one in rounds)
    print(f"parse  {parse_s:6.2f} s   the peer, `ast.parse` alone: {seconds / parse_s:.1f} times that")
    print(f"memory {peak_mb:6.0f} MB  limit {LIMIT_MB:.0f} MB  {peak_mb / LIMIT_MB:.2f} of it")
    return int(seconds > LIMIT_S or peak_mb > LIMIT_MB)


def build_plugin(folder: Path) -> int:
    """Write the files; return their size in bytes."""
    texts = pieces(BYTES // FILES)
    size = 0
    for number in range(FILES):
        text = next(texts)
        path = folder / f"part_{number // 100}" / f"module_{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        size += path.stat().st_size
    return size


def pieces(target_bytes: int) -> Iterator[str]:
    """Return texts of about ``target_bytes``, each of whole statements of one module of the standard library."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if any(part in ("site-packages", "test", "tests", "lib2to3") for part in path.parts):
            continue
        try:
            source = path.read_text(encoding="utf-8")
            statements = ast.parse(source).body
        except (SyntaxError, ValueError):
            continue
        lines = source.splitlines(keepends=True)
        text = ""
        for statement in statements:
            text += "".join(lines[statement.lineno - 1 : statement.end_lineno]).rstrip() + "\n"
            if len(text) >= target_bytes:
                piece = _cut(text, target_bytes)
                text = ""
                if _parses(piece):
                    yield piece


def _cut(text: str, target_bytes: int) -> str:
    """Return the text, or of one long statement as much as still is Python; filled up with a comment."""
    if len(text) > target_bytes * 2:
        lines = text.splitlines(keepends=True)
        while len("".join(lines)) > target_bytes:
            lines = lines[: int(len(lines) * 0.9)]
            if len(lines) < 2:
                break
        text = "".join(lines)
        while not _parses(text) and "\n" in text.rstrip():
            text = text.rstrip().rpartition("\n")[0] + "\n"
    return text


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def scan_once(folder: str) -> None:
    """Scan and print wall time and peak memory, which includes the interpreter and every import."""
    from mixpeek.inspection.scan import scan

    sources = [path.read_bytes() for path in sorted(Path(folder).rglob("*.py"))]
    started = time.perf_counter()
    for source in sources:
        ast.parse(source)
    parse_seconds = time.perf_counter() - started
    del sources
    started = time.perf_counter()
    findings = scan(Path(folder))
    seconds = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps({"seconds": seconds, "parse_seconds": parse_seconds, "peak_mb": peak_mb, "findings": len(findings)})
    )


if __name__ == "__main__":
    if "--scan" in sys.argv:
        scan_once(sys.argv[-1])
    else:
        sys.exit(main())
