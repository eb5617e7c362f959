"""What a rule is, and the one shape most of them have: a list of names that plugins must not touch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mixpeek.inspection.findings import Finding, Severity
from mixpeek.inspection.modules import Module

Check = Callable[[Module], Iterable[Finding]]


@dataclass(frozen=True)
class Rule:
    """One check with its stable name; ``summary`` is the line that documentation shows."""

    name: str
    severity: Severity
    summary: str
    check: Check


def forbid(
    name: str, things: Iterable[str], *, summary: str, reason: str, hint: str, severity: Severity = Severity.ERROR
) -> Rule:
    """Return a rule against the named things (`os.system`, or a whole module such as `socket`) and all inside them.

    ``reason`` completes the sentence that starts with the thing's name.
    """
    banned = frozenset(things)

    def check(module: Module) -> Iterator[Finding]:
        seen: set[tuple[int, int]] = set()
        for reference in module.references:
            thing = _covering(reference.dotted, banned)
            # What an import or assignment took by name was reported there.
            taken_elsewhere = reference.bound is not None and _covering(reference.bound, banned) is not None
            if thing is None or taken_elsewhere:
                continue
            place = module.position(reference.node)
            if place in seen:
                continue
            seen.add(place)
            yield Finding(
                rule=name,
                severity=severity,
                message=f"`{thing.removeprefix('builtins.')}` {reason}",
                hint=hint,
                path=module.path,
                line=place[0],
                column=place[1],
            )

    return Rule(name, severity, summary, check)


def _covering(dotted: str, banned: frozenset[str]) -> str | None:
    """Return the banned name that is ``dotted`` or a prefix of it in whole parts."""
    while dotted:
        if dotted in banned:
            return dotted
        dotted = dotted.rpartition(".")[0]
    return None
