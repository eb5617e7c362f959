"""One campaign of coverage-guided fuzzing: runs the engine, keeps what it found, and puts the figures on record.

Usage: scripts/fuzz TARGET [SECONDS] [SEED]; TARGET may be `all`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fuzz import corpus
from fuzz.mutations import MAX_BYTES
from fuzz.seeds import seeds
from fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "docs/architecture/fuzzing.md"
# Over these a run counts as unbounded memory, or as a hang. Imports alone take up 150 MB.
RSS_LIMIT_MB = 1_024
TIMEOUT_S = 10

_PROGRESS = re.compile(r"^#\d+\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\S+) .*$", re.MULTILINE)
_FIGURE = re.compile(r"^stat::(\w+):\s+(\d+)$", re.MULTILINE)
_HEAD = (
    "| Date | Commit | Target | Engine | Seed | Seconds | Executions | Per second | Coverage | Peak RSS | Result |\n"
)
_INTRODUCTION = f"""# Fuzzing on record

Every reader of foreign bytes is a target in `tests/fuzz/targets.py`, with the invariants that must hold and the errors
it may raise. `make fuzz TARGET=zip SECONDS=600` runs one under atheris (libFuzzer guided by Python coverage; `all` runs
each in turn) and appends a line here. A run that takes over {TIMEOUT_S} s or {RSS_LIMIT_MB:,} MB counts as a failure.
Coverage is in libFuzzer's edges and features. The corpus in `tests/fuzz/corpus/` is replayed and mutated by the test
suite for `MIXPEEK_FUZZ_SECONDS` (60 in all).

{_HEAD}{re.sub("[^|]+", "---", _HEAD.strip())}
"""


@dataclass(frozen=True)
class Outcome:
    """The figures of one campaign; `crashes` are the inputs that broke the target."""

    target: str
    seed: int
    seconds: int
    executions: int
    per_second: int
    edges: int
    features: int
    peak_rss_mb: int
    crashes: tuple[Path, ...]
    exit_status: int

    @property
    def passed(self) -> bool:
        """Tell whether the target held."""
        return self.exit_status == 0 and not self.crashes

    @property
    def line(self) -> str:
        """Return the campaign as a line of the record."""
        result = "held" if self.passed else f"{len(self.crashes)} failing inputs, exit {self.exit_status}"
        cells = (
            datetime.datetime.now(datetime.UTC).date().isoformat(),
            f"`{_commit()}`",
            self.target,
            "atheris 3.0.0",
            str(self.seed),
            str(self.seconds),
            f"{self.executions:,}",
            f"{self.per_second:,}",
            f"{self.edges:,} edges, {self.features:,} features",
            f"{self.peak_rss_mb} MB",
            result,
        )
        return f"| {' | '.join(cells)} |\n"


def run(target: str, seconds: int, seed: int, crashes: Path) -> Outcome:
    """Fuzz one target, minimise what was found into the committed corpus, and return the figures."""
    work = Path(tempfile.mkdtemp(prefix="mixpeek-fuzz-"))
    try:
        given, found = work / "given", work / "found"
        _write(given, [*seeds(target), *corpus.committed(target)])
        found.mkdir()
        crashes.mkdir(parents=True, exist_ok=True)
        before = set(crashes.iterdir())
        status, log = _engine(target, seconds, seed, found, given, crashes)
        new = tuple(sorted(set(crashes.iterdir()) - before))
        kept = [path.read_bytes() for folder in (given, found) for path in folder.iterdir()]
        if not new:
            chosen = corpus.smallest_cover(TARGETS[target].run, kept)
            print(f"corpus: {corpus.keep(target, chosen)} of {len(kept)} inputs kept")
        return _outcome(target, seed, seconds, log, new, status)
    finally:
        shutil.rmtree(work)


def _write(folder: Path, inputs: list[bytes]) -> None:
    folder.mkdir()
    for index, data in enumerate(inputs):
        (folder / f"{index:05}").write_bytes(data)


def _engine(target: str, seconds: int, seed: int, found: Path, given: Path, crashes: Path) -> tuple[int, str]:
    options = {
        "max_total_time": seconds,
        "seed": seed,
        "rss_limit_mb": RSS_LIMIT_MB,
        "timeout": TIMEOUT_S,
        "max_len": MAX_BYTES,
        "print_final_stats": 1,
        "artifact_prefix": f"{crashes}/",
    }
    command = [sys.executable, "-m", "fuzz.guided", target, *(f"-{key}={value}" for key, value in options.items())]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": _path()}
    child = subprocess.Popen(
        [*command, str(found), str(given)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    )
    assert child.stdout is not None
    log = ""
    with child:
        for line in child.stdout:
            log += line
            if not re.match(r"#\d+\s+(NEW|REDUCE|RELOAD)", line):
                print(line, end="")
    return child.returncode, log


def _path() -> str:
    return os.pathsep.join([str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])])


def _outcome(target: str, seed: int, seconds: int, log: str, crashes: tuple[Path, ...], status: int) -> Outcome:
    figures = {name: int(value) for name, value in _FIGURE.findall(log)}
    progress = _PROGRESS.findall(log)
    edges, features = (int(progress[-1][0]), int(progress[-1][1])) if progress else (0, 0)
    return Outcome(
        target=target,
        seed=seed,
        seconds=seconds,
        executions=figures.get("number_of_executed_units", 0),
        per_second=figures.get("average_exec_per_sec", 0),
        edges=edges,
        features=features,
        peak_rss_mb=figures.get("peak_rss_mb", 0),
        crashes=crashes,
        exit_status=status,
    )


def record(outcome: Outcome) -> None:
    """Append the campaign to the record."""
    if not RECORD.exists():
        RECORD.write_text(_INTRODUCTION, encoding="utf-8")
    with RECORD.open("a", encoding="utf-8") as out:
        out.write(outcome.line)


def _commit() -> str:
    """Return the commit that is fuzzed, marked if anything but the corpus and the record differs from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    own = (f":!{path.relative_to(ROOT)}" for path in (RECORD, corpus.FOLDER))
    mark = "-dirty" if git("status", "--porcelain", "--", ".", *own) else ""
    return f"{git('rev-parse', '--short', 'HEAD')}{mark}" if git("rev-parse", "HEAD") else "unknown"


def main() -> int:
    """Run the campaigns that the command line asks for; return 1 if a target broke."""
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description="Fuzz readers of foreign bytes, guided by coverage"
    )
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("seconds", type=int, nargs="?", default=120, help="for each target")
    parser.add_argument("seed", type=int, nargs="?", default=random.randrange(1, 2**31))
    parser.add_argument("--crashes", type=Path, default=Path(tempfile.gettempdir()) / "mixpeek-fuzz-crashes")
    parser.add_argument("--no-record", action="store_true", help="leave the record as it is")
    chosen = parser.parse_args()
    broken = 0
    for target in TARGETS if chosen.target == "all" else [chosen.target]:
        outcome = run(target, chosen.seconds, chosen.seed, chosen.crashes / target)
        if not chosen.no_record:
            record(outcome)
        print(outcome.line, end="")
        for path in outcome.crashes:
            print(f"failing input: {path}")
        broken += not outcome.passed
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
