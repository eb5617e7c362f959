"""Against `operator.attrgetter` and `methodcaller` for names that matter, or that are chosen at run time."""

from __future__ import annotations

from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.rules.base import Rule, Spot
from mixpeek.inspection.rules.insides import INSIDES
from mixpeek.inspection.rules.os_system import RULE as OS_SYSTEM

_GETTERS = frozenset(
    {f"{module}.{name}" for module in ("operator", "_operator") for name in ("attrgetter", "methodcaller")}
)
# The last parts of forbidden names that no ordinary object has.
_TELLING = (
    {thing.rpartition(".")[2] for thing in OS_SYSTEM.things}
    | INSIDES
    | {"exec", "__import__", "import_module", "modules", "__dict__", "__getattribute__", "fork"}
)


def _check(module: Module) -> Iterator[Spot]:
    for call in module.reading.calls:
        getter = next((name for name in call.functions if name in _GETTERS), None)
        if getter is None:
            continue
        for text in [module.reading.text(argument, call.scope) for argument in call.node.args[: _names(getter)]]:
            if text is None:
                yield call.node, f"`{getter}` takes an attribute that is chosen at run time, so it cannot be checked"
            elif not _TELLING.isdisjoint(text.split(".")):
                yield call.node, f"`{getter}` takes `{text}`, past the names that are checked"


def _names(getter: str) -> int | None:
    return 1 if getter.endswith("methodcaller") else None


RULE = Rule(
    "security.attribute_getters",
    Severity.WARNING,
    "`operator.attrgetter` and `methodcaller` with forbidden or computed names get around the other rules",
    "Write the attribute out, as in `row.score`",
    offending=(
        "import operator\nimport os\noperator.attrgetter('system')(os)('ls')",
        "from operator import methodcaller\nmethodcaller(name)(model)",
    ),
    harmless=(
        "from operator import attrgetter\nrows.sort(key=attrgetter('score'))",
        "import operator\noperator.methodcaller('lower')",
        "import operator\noperator.itemgetter(name)",
    ),
    check=_check,
)
