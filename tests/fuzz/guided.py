"""The coverage-guided engine: one process that runs one target under atheris until libFuzzer's options end it.

Usage: python -m fuzz.guided TARGET [libFuzzer options and corpus folders]; `scripts/fuzz` gives them.
"""

from __future__ import annotations

import random
import sys

import atheris  # installed by scripts/fuzz, not a dependency

with atheris.instrument_imports(include=["mixpeek", "zipfile", "tarfile", "gzip"]):
    from fuzz.targets import TARGETS

    if sys.argv[1] == "scan":
        import mixpeek.inspection.scan  # noqa: F401 -- the target imports it when it runs

from fuzz.mutations import MAX_BYTES, apply, drawn
from fuzz.seeds import seeds


def main() -> None:
    """Fuzz; libFuzzer ends the process."""
    target = TARGETS[sys.argv[1]]
    others = [target.unwrap(data) for data in seeds(target.name)]

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        choose = random.Random(seed)
        raw = target.unwrap(bytes(data))
        if choose.random() < 0.4:
            raw = atheris.Mutate(raw, min(max_size, MAX_BYTES))
        else:
            raw = apply(drawn(choose), raw, target.tokens, others)
        changed = target.repair(raw, choose.randrange(target.repairs))
        return changed if len(changed) <= max_size else raw[:max_size]

    # The target is looked up inside of the instrumented modules, so what it calls is instrumented too.
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
