"""rules.md: every rule of the scan, with its severity, who may turn it off, and code that breaks it or does not."""

from __future__ import annotations

from scripts.reference.markdown import anchor, code, heading, table, written

from mixpeek.cli.explaining import fix_words
from mixpeek.inspection.fixes import can_be_fixed
from mixpeek.inspection.rules import FILE_RULES, LINT_RULES, SECURITY_RULES
from mixpeek.inspection.rules.base import Rule

WORDS = """`SEQ…`, `rows.…`, `model.…` and `realtime.…` are about code that is slow in production, or fills nothing;
`secret.…` about what must not be in a plugin; `security.…`, `code.…` and `allow.…` about what a plugin may do.
`mixpeek plugin lint --explain RULE` prints a rule's section.

The scan reads a plugin's Python and runs nothing. It is fast feedback with exact places; what holds plugin
code back when it runs is the sandbox. An error refuses the plugin, a warning never does.

An operator sets severities with `MIXPEEK_RULES`, as in `security.threading=off,security.pickle=error`; `lint`, `test`
and `publish` read the same variable. An author allows a finding with a comment on its line, or alone on the line above,
`# mixpeek: allow[security.open] the reason why`; several rules are separated by commas. A comment that gives no reason,
names no rule, names one that cannot be allowed, or allows nothing is a finding of its own.

A name counts wherever it leads: through `import … as`, `from … import`, aliases, `getattr` with a name that can be
computed from constants, `importlib.import_module("os")`, `vars(os)["system"]`, `sys.modules["os"]`, modules that hold
another (`shutil.os`), and identifiers in other letters (`ｅｖａｌ`). Names in strings and comments, methods and
functions of the plugin that share a name, parameters, and imports under `TYPE_CHECKING` do not count."""
_MAX_SAMPLE = 400


def page() -> str:
    """Return rules.md."""
    every = (*LINT_RULES, *SECURITY_RULES, *FILE_RULES)
    rows = [
        (f"[{code(rule.name)}]({anchor(rule.name)})", rule.severity.value, _who(rule), rule.summary) for rule in every
    ]
    lines = [*heading("Rules", WORDS), *table(("Rule", "Severity", "Turned off by", "What it is about"), rows)]
    for rule in every:
        lines += _section(rule)
    return written(lines)


def _who(rule: Rule) -> str:
    if rule.is_fixed:
        return "nothing"
    return "comment, setting" if rule.can_be_allowed else "setting"


def _section(rule: Rule) -> list[str]:
    file = "" if rule.sample_path == "core.py" else f" (file {code(rule.sample_path)})"
    if rule.sample_beside:
        file += "".join(f", beside {code(path)} with `{text.strip()}`" for path, text in rule.sample_beside.items())
    more = [*([rule.why] if rule.why else []), *([fix_words(rule.name)] if can_be_fixed(rule.name) is not None else [])]
    return [
        f"## {rule.name}",
        "",
        f"{rule.summary}. {rule.hint}.",
        "",
        *(line for words in more for line in (words, "")),
        f"Breaks it{file}:",
        "",
        *_samples(rule.offending),
        "Does not:",
        "",
        *_samples(rule.harmless),
    ]


def _samples(samples: tuple[str, ...]) -> list[str]:
    shown = "\n\n".join(_short(sample) for sample in samples)
    return ["```python", shown, "```", ""]


def _short(sample: str) -> str:
    plain = "".join(char if char.isprintable() or char == "\n" else f"\\u{ord(char):04x}" for char in sample)
    return plain if len(plain) <= _MAX_SAMPLE else f"{plain[:60]} …  # and so on, {len(sample):,} characters in all"
