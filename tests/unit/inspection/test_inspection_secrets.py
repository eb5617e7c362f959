"""Likely secrets: found at their line, not repeated, and allowed where the author says so."""

from __future__ import annotations

import random
import string
import time
from pathlib import Path

import pytest

from mixpeek.inspection.secrets import ALLOW, find_secrets, secrets_in

# Put together here, so that no tool that reads this file takes it for the thing itself.
KEY = "sk_" + "live_51Hq8ZxR2eZvKYlo2C0aBcDe"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\n"
HASH = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (PEM, "secret.private_key"),
        ("-----BEGIN OPENSSH " + "PRIVATE KEY-----", "secret.private_key"),
        (f'client = Client("{KEY}")', "secret.api_key"),
        ("mxp_sk_" + "Vx8-3kQz_9TbLmPw2RsYcD4f", "secret.api_key"),
        ("sk_" + HASH, "secret.api_key"),
        ("OPENAI = 'sk-" + "proj-a8Fj3kLq9ZxR2eZvKYlo2C0aBcDe'", "secret.api_key"),
        ("AKIA" + "Q3EGT7XWZL5PNM2K", "secret.aws_key"),
        ("aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzK8q2LmN4p", "secret.aws_key"),
        ("ghp_" + "a8Fj3kLq9ZxR2eZvKYlo2C0aBcDe4fGh5iJk", "secret.github_token"),
        ("github_pat_" + "11ABCDEFG0a8Fj3kLq9ZxR2eZ", "secret.github_token"),
        ("hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ012345", "secret.huggingface_token"),
    ],
)
def test_a_likely_secret_is_found_at_its_place(text: str, rule: str) -> None:
    found = list(secrets_in("core.py", f"first = 1\n{text}\n".encode()))

    assert [(finding.rule, finding.path, finding.line) for finding in found] == [(rule, "core.py", 2)]
    assert ALLOW in found[0].hint


@pytest.mark.parametrize(
    "text",
    [
        "sk_your_api_key",
        "sk_model_v2_pipeline_config",
        'os.environ["MIXPEEK_API_KEY"]',
        "task_0123456789abcdef0123456789abcdef",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "-----BEGIN CERTIFICATE-----",
        f"sha256 = '{HASH * 2}'",
        "sk-fading-circle-animation-2",
        "SK_" + HASH,
    ],
)
def test_what_only_looks_alike_is_no_finding(text: str) -> None:
    assert list(secrets_in("core.py", text.encode())) == []


def test_the_secret_itself_is_not_repeated() -> None:
    (found,) = secrets_in("core.py", KEY.encode())

    assert KEY not in str(found.wire())
    assert "`sk_liv…`" in found.message


@pytest.mark.parametrize(
    "text", [f'key = "{KEY}"  # {ALLOW}', f'"note": "{ALLOW}",\n"key": "{KEY}"', f"{ALLOW}\n{PEM}"]
)
def test_words_on_the_line_or_the_one_above_allow_it(text: str) -> None:
    assert list(secrets_in("x", text.encode())) == []


def test_the_words_count_for_the_next_line_only() -> None:
    found = list(secrets_in("x", f"# {ALLOW}\n\n{KEY}\n".encode()))

    assert [finding.line for finding in found] == [3]


@pytest.mark.parametrize("name", [".env", ".env.production", "deploy/prod.env"])
def test_a_file_of_settings_is_one_finding_at_its_first_value(name: str) -> None:
    found = list(secrets_in(name, b"# settings\nEMPTY=\nALSO=''\nexport PASSWORD='hunter2'\nOTHER=x\n"))

    assert [(finding.rule, finding.line) for finding in found] == [("secret.env_file", 4)]


@pytest.mark.parametrize(("name", "text"), [(".env.example", b"KEY=1\n"), (".env", b"KEY=\n"), ("env.py", b"a = 1\n")])
def test_templates_empty_settings_and_code_are_none(name: str, text: bytes) -> None:
    assert list(secrets_in(name, text)) == []


def test_binary_files_are_not_read_as_text() -> None:
    assert list(secrets_in("model.bin", b"\0" + KEY.encode())) == []


KEYS = [b"AKIA" + bytes(random.Random(number).choices(string.ascii_uppercase.encode(), k=16)) for number in range(9000)]


@pytest.mark.parametrize(
    "text",
    [
        b"\n".join(KEYS * 5),
        b" ".join(KEYS * 5),
        ALLOW.encode() + b" " + b" ".join(KEYS * 5),
        b"xoxb-" * 400_000,
        b"sk-" * 600_000,
        b"-----BEGIN " + b"A " * 2_000_000,
    ],
)
def test_no_file_takes_long_and_no_number_of_secrets_is_listed_without_end(text: bytes) -> None:
    began = time.monotonic()

    assert len(list(secrets_in("notes.txt", text))) <= 100
    assert time.monotonic() - began < 10


def test_after_very_many_secrets_no_more_files_are_looked_at(tmp_path: Path) -> None:
    names = [f"notes_{number:02}.txt" for number in range(20)]
    for name in names:
        (tmp_path / name).write_bytes(b"\n".join(f"AKIA{name[6:8]}{number:014}".encode() for number in range(200)))

    found = find_secrets(tmp_path, names)

    assert 1001 <= len(found) <= 1100
    assert found[0].rule == "secret.more_findings"


def test_all_files_are_looked_at_and_the_findings_come_in_order(tmp_path: Path) -> None:
    for name in ("b.py", "a.py"):
        (tmp_path / name).write_text(f"x = 1\ny = '{KEY}'\n")

    assert [finding.path for finding in find_secrets(tmp_path, ["b.py", "a.py"])] == ["a.py", "b.py"]
