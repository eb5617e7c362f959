"""Likely secrets in a plugin's files: keys and passwords that whoever pulls the plugin would be able to read.

Looks at text only; which files are packed at all is decided in `pack`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mixpeek.inspection.findings import Finding, error, in_order

ALLOW = "mixpeek: allow-secret"
"""A line that holds these words, or that follows such a line, is not looked at."""

HINT = (
    f"Remove it and use a new one; name the file in .mixpeekignore to leave it out; or, if it is no secret, write "
    f"`{ALLOW}` on this line or the one above"
)

# What tells a random value from a placeholder (`sk_your_api_key`) and from a name (`sk_model_v2_pipeline_config`).
_MIN_DIFFERENT = 8
_MIN_RUN = 20
_RUN = re.compile(rb"[A-Za-z0-9]+")
_PLACEHOLDERS = (b"example", b"placeholder", b"your", b"dummy")


@dataclass(frozen=True)
class _Kind:
    """One kind of secret: its rule, what it is called, how it starts, and what it looks like from there.

    The starts make large files cheap: most hold none of them, and nothing else has to be matched.
    """

    rule: str
    what: str
    starts: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    is_random: bool = True


def _kind(rule: str, what: str, starts: str, pattern: str) -> _Kind:
    # Nothing of a word may stand directly before or after it.
    compiled = re.compile(rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])".encode())
    return _Kind(rule, what, tuple(start.encode() for start in starts.split()), compiled)


KINDS = (
    _Kind(
        "secret.private_key",
        "A private key",
        (b"-----BEGIN ",),
        re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
        is_random=False,
    ),
    _kind("secret.api_key", "An API key", "sk_ rk_", r"[sr]k_(?:live_|test_|prod_)?[A-Za-z0-9_-]{16,}"),
    _kind("secret.api_key", "An API key", "sk-", r"sk-[A-Za-z0-9_-]{20,}"),
    _kind("secret.aws_key", "An AWS access key", "AKIA ASIA", r"A[KS]IA[A-Z0-9]{16}"),
    _kind(
        "secret.aws_key",
        "An AWS secret key",
        "aws Aws AWS",
        r"(?i:aws_?secret_?(?:access_?)?key)['\"]?\s*[:=]\s*['\"]?[A-Za-z0-9/+]{40}",
    ),
    _kind("secret.github_token", "A GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{36,}"),
    _kind("secret.github_token", "A GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,}"),
    _kind("secret.huggingface_token", "A Hugging Face token", "hf_", r"hf_[A-Za-z0-9]{30,}"),
    _kind("secret.google_key", "A Google API key", "AIza", r"AIza[A-Za-z0-9_-]{35}"),
    _kind("secret.slack_token", "A Slack token", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
)

# Settings and code are shorter; of a longer file, its start is looked at.
_MAX_READ_BYTES = 4 * 1024 * 1024
# Where each secret stands is looked up on its own, so that their number is bounded.
_MAX_FINDINGS_PER_FILE = 100
_MAX_FINDINGS = 1000
# How far from a secret the words that allow it are looked for: lines may be as long as the file.
_MAX_LINE_BYTES = 4096
_ENV_NAME = re.compile(r"^(?:\.env(?:\..+)?|.+\.env)$")
_ENV_TEMPLATES = (".example", ".sample", ".template", ".dist")
_ENV_VALUE = re.compile(rb"^[ \t]*(?:export[ \t]+)?[A-Za-z_]\w*[ \t]*=[ \t]*['\"]?[^\s'\"#]", re.MULTILINE)


def find_secrets(root: Path, paths: list[str]) -> list[Finding]:
    """Return an error for each likely secret in these files below ``root``; the secret itself is not repeated."""
    found: list[Finding] = []
    for path in paths:
        with (root / path).open("rb") as file:
            found += secrets_in(path, file.read(_MAX_READ_BYTES))
        if len(found) >= _MAX_FINDINGS:
            words = f"{_MAX_FINDINGS} likely secrets or more; the files after `{path}` were not looked at"
            found.append(error("secret.more_findings", words, hint="Repair these, then check again"))
            break
    return in_order(found)


def secrets_in(path: str, content: bytes) -> Iterator[Finding]:
    """Return an error for each likely secret in one file, the first of each kind if there are very many."""
    if b"\0" in content:
        return
    places = [
        (match.start(), kind.rule, _says(kind, match))
        for kind in KINDS
        for match in islice(_matches(kind, content), _MAX_FINDINGS_PER_FILE)
    ]
    name = path.rpartition("/")[2]
    if _ENV_NAME.match(name) and not name.endswith(_ENV_TEMPLATES):
        value = next((match for match in _ENV_VALUE.finditer(content) if not _is_allowed(content, match.start())), None)
        if value is not None:
            places.append((value.start(), "secret.env_file", "Settings of an environment, which often are secret"))
    for start, rule, message in sorted(places)[:_MAX_FINDINGS_PER_FILE]:
        line = content.count(b"\n", 0, start) + 1
        column = len(content[content.rfind(b"\n", 0, start) + 1 : start].decode("utf-8", "replace")) + 1
        yield error(rule, message, hint=HINT, path=path, line=line, column=column)


def _matches(kind: _Kind, content: bytes) -> Iterator[re.Match[bytes]]:
    for start in kind.starts:
        at = content.find(start)
        while at >= 0:
            match = kind.pattern.match(content, at)
            if match and (not kind.is_random or _is_random(match[0])) and not _is_allowed(content, at):
                yield match
            # What was matched is not read again, or a text of starts alone would be read once for each.
            at = content.find(start, match.end() if match else at + len(start))


def _is_random(value: bytes) -> bool:
    plain = value.lower()
    if len(set(plain)) < _MIN_DIFFERENT or not any(byte in b"0123456789" for byte in value):
        return False
    if any(word in plain for word in _PLACEHOLDERS):
        return False
    has_both_cases = plain != value and value.upper() != value
    return has_both_cases or max(len(run) for run in _RUN.findall(value)) >= _MIN_RUN


def _is_allowed(content: bytes, start: int) -> bool:
    first = max(0, start - _MAX_LINE_BYTES)
    near, at = content[first : start + _MAX_LINE_BYTES], start - first
    line_start = near.rfind(b"\n", 0, at) + 1
    line_end = near.find(b"\n", at)
    before = near.rfind(b"\n", 0, max(line_start - 1, 0)) + 1
    return ALLOW.encode() in near[before : len(near) if line_end < 0 else line_end]


def _says(kind: _Kind, match: re.Match[bytes]) -> str:
    if not kind.is_random:
        return kind.what
    # Enough to find it by, too little to use it.
    return f"{kind.what} that starts with `{match[0][:6].decode('ascii', 'replace')}…`"
