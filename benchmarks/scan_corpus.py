"""Scan the source of 30 widely used packages: how much each rule finds there, and a sample of it to be judged.

`python benchmarks/scan_corpus.py [--wheels FOLDER] [--sample N --seed S] [--rule RULE]`. Without `--wheels` the
packages are downloaded first, as pip is set up to. No finding decides the exit code: whether one is right is for a
reader to judge, and `scan_corpus_judged.md` beside this file records one such reading.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mixpeek.inspection.findings import Finding, escape
from mixpeek.inspection.scan import scan_source

PACKAGES = (
    *("attrs", "black", "boto3", "botocore", "celery", "click", "django", "docutils", "fastapi", "flask", "httpx"),
    *("idna", "jinja2", "networkx", "packaging", "pip", "pygments", "pytest", "pyyaml", "requests", "rich"),
    *("setuptools", "sphinx", "sqlalchemy", "starlette", "sympy", "tornado", "tqdm", "urllib3", "werkzeug"),
)


@dataclass(frozen=True)
class Seen:
    """One finding, where it was made, and the line it points at."""

    package: str
    finding: Finding
    line: str


def main(arguments: list[str]) -> int:
    """Print the figures, then the sample."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--wheels", type=Path, help="Folder of wheels; downloaded if it is not given.")
    parser.add_argument("--sample", type=int, default=0, help="How many findings to print with their lines.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rule", help="Sample from this rule only.")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="scan-corpus-") as folder:
        wheels = given.wheels or _download(Path(folder))
        seen = _scan_all(sorted(wheels.glob("*.whl")))
    chosen = [one for one in seen if given.rule in (None, one.finding.rule)]
    for one in sample(chosen, given.sample, given.seed):
        print(f"{one.package}: {one.finding.place} {one.finding.rule}\n    {one.line}")
    return 0


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), *PACKAGES]
    subprocess.run(command, check=True)
    return folder


def _scan_all(wheels: Iterable[Path]) -> list[Seen]:
    seen: list[Seen] = []
    files = size = packages = 0
    started = time.process_time()
    for wheel in wheels:
        package = "==".join(wheel.name.split("-")[:2])
        packages += 1
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".py"):
                    source = archive.read(name)
                    files, size = files + 1, size + len(source)
                    lines = source.decode("utf-8", "replace").splitlines()
                    for finding in scan_source(name, source):
                        line = lines[finding.line - 1].strip() if finding.line and finding.line <= len(lines) else ""
                        seen.append(Seen(package, finding, escape(line)[:160]))
    seconds = time.process_time() - started
    print(f"{packages} packages, {files} files, {size / 1e6:.1f} MB in {seconds:.1f} s of processor time")
    print(f"{files / seconds:.0f} files/s, {size / 1e6 / seconds:.2f} MB/s, {len(seen)} findings")
    for rule, count in Counter(one.finding.rule for one in seen).most_common():
        print(f"{count:6}  {rule}")
    return seen


def sample(seen: list[Seen], count: int, seed: int) -> list[Seen]:
    """Return up to ``count`` findings, of every rule as evenly as there are any."""
    chooser = random.Random(seed)
    of_rule: dict[str, list[Seen]] = {}
    for one in seen:
        of_rule.setdefault(one.finding.rule, []).append(one)
    for group in of_rule.values():
        chooser.shuffle(group)
    chosen: list[Seen] = []
    while len(chosen) < count and any(of_rule.values()):
        for group in of_rule.values():
            if group and len(chosen) < count:
                chosen.append(group.pop())
    return sorted(chosen, key=lambda one: (one.finding.rule, one.package, one.finding.sort_key))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
