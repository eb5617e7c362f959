"""Repairs: exact, with all around them as it was, idempotent, and clean afterwards."""

from __future__ import annotations

import ast

import pytest

from mixpeek.inspection.fixes import can_be_fixed, fixable, fixed
from mixpeek.inspection.rules import LINT_RULES
from mixpeek.inspection.scan import scan_source

CALLED = "class P:\n    def __call__(self, batch):\n"
# The rule, whether its repair is safe, the path, before and after.
REPAIRS: list[tuple[str, bool, str, str, str]] = [
    (
        "SEQ001",
        False,
        "core.py",
        """class Processor:  # keeps its comment
    def __call__(self, batch):
        batch["v"]   =  [self._model.encode(t, normalize=True).tolist() for t in batch["text"].fillna("")]  # as here
        return batch
""",
        """class Processor:  # keeps its comment
    def __call__(self, batch):
        batch["v"]   =  self._model.encode(list(batch["text"].fillna("")), normalize=True).tolist()  # as here
        return batch
""",
    ),
    (
        "rows.iterrows",
        False,
        "core.py",
        """class Processor:
    def __call__(self, batch):
        found = []
        for _, row in batch.iterrows():  # each
            found.append(len(row["text"]) + row['size_bytes'])
        return batch.assign(found=found)
""",
        """class Processor:
    def __call__(self, batch):
        found = []
        for row in batch.to_dict("records"):  # each
            found.append(len(row["text"]) + row['size_bytes'])
        return batch.assign(found=found)
""",
    ),
    (
        "rows.none_returned",
        True,
        "core.py",
        """class Processor:
    def __call__(self, batch):
        if batch.empty:
            return  # nothing to do
        batch["length"] = batch["text"].str.len()
        return batch
""",
        """class Processor:
    def __call__(self, batch):
        if batch.empty:
            return batch  # nothing to do
        batch["length"] = batch["text"].str.len()
        return batch
""",
    ),
    (
        "rows.none_returned",
        True,
        "core.py",
        "class Processor:\r\n    def __call__(self, batch):\r\n        # größe\r\n        batch['n'] = 1\r\n",
        "class Processor:\r\n    def __call__(self, batch):\r\n        # größe\r\n        batch['n'] = 1\r\n"
        "        return batch\r\n",
    ),
    (
        "rows.none_returned",
        True,
        "core.py",
        "class Processor:\n    def __call__(self, batch):\n        batch['n'] = 1",
        "class Processor:\n    def __call__(self, batch):\n        batch['n'] = 1\n        return batch",
    ),
    (
        "rows.printed",
        False,
        "core.py",
        """class Processor:
    def __call__(self, batch):
        for text in batch["text"]:
            print(text)
        print("é", batch["text"].tolist())
        return batch
""",
        """class Processor:
    def __call__(self, batch):
        for text in batch["text"]:
            pass
        return batch
""",
    ),
    (
        "realtime.blocking",
        True,
        "realtime.py",
        '''"""Docstring."""
from __future__ import annotations
import time

class Handler:
    async def run_inference(self, inputs, parameters):
        time.sleep( 0.1 )
        time.sleep(1)
        return {"embedding": [0.0]}
''',
        '''"""Docstring."""
from __future__ import annotations
import asyncio
import time

class Handler:
    async def run_inference(self, inputs, parameters):
        await asyncio.sleep( 0.1 )
        await asyncio.sleep(1)
        return {"embedding": [0.0]}
''',
    ),
    (
        "allow.unused",
        True,
        "core.py",
        """x = 1  # mixpeek: allow[security.open] a file
# mixpeek: allow[security.open] alone
y = 2
open(path)  # mixpeek: allow[security.open, security.pickle] a file of the model
""",
        """x = 1
y = 2
open(path)  # mixpeek: allow[security.open] a file of the model
""",
    ),
    (
        "manifest.unknown_key",
        True,
        "manifest.py",
        """metadata = {"feature_extractor_name": "some_words", "version": "1.0.0"}
features = [
    {'name': "größe", "type": "embedding", "dimensions": 8, "distance": "cosine"},  # so
]
""",
        """metadata = {"feature_extractor_name": "some_words", "version": "1.0.0"}
features = [
    {'feature_name': "größe", "feature_type": "embedding", "embedding_dim": 8, "distance_metric": "cosine"},  # so
]
""",
    ),
]


@pytest.mark.parametrize(("rule", "is_safe", "path", "before", "after"), REPAIRS)
def test_a_repair_changes_what_is_at_fault_and_nothing_else(
    rule: str, is_safe: bool, path: str, before: str, after: str
) -> None:
    source = before.encode()

    done = fixed(path, source, unsafe=not is_safe)

    assert done.source.decode() == after
    assert {finding.rule for finding in done.repaired} == {rule}
    assert fixed(path, done.source, unsafe=True).source == done.source
    assert [one for one in scan_source(path, done.source) if one.rule == rule] == []
    if not is_safe:
        assert fixed(path, source).source == source


def test_every_rule_that_says_it_repairs_has_a_sample_here() -> None:
    said = {rule.name for rule in LINT_RULES if rule.fix is not None} | {"allow.unused", "manifest.unknown_key"}

    assert {rule for rule, *_ in REPAIRS} == said
    assert {rule: can_be_fixed(rule) for rule in said} == {rule: is_safe for rule, is_safe, *_ in REPAIRS}
    assert can_be_fixed("SEQ002") is None


@pytest.mark.parametrize("rule", LINT_RULES, ids=lambda rule: rule.name)
def test_a_repaired_sample_is_python_and_free_of_what_was_repaired(rule: object) -> None:
    for sample in rule.offending:  # type: ignore[attr-defined]
        source = sample.encode()
        for unsafe in (False, True):
            done = fixed("core.py", source, unsafe=unsafe)
            ast.parse(done.source)
            left = {(one.finding.rule) for one in fixable("core.py", done.source) if one.is_safe or unsafe}
            assert left == set()


@pytest.mark.parametrize(
    "code",
    [
        "class P:\n    def __call__(self, batch):  # mixpeek: allow[rows.none_returned] x\n        batch['n'] = 1\n",
        "class P:\n    def __call__(self, batch): batch['n'] = 1\n",
        "class P:\n    def __call__(self, batch):\n        batch = batch.copy()\n        batch['n'] = 1\n",
        "class P:\n    def __call__(self, batch):\n        out = batch.copy()\n",
        CALLED + "        for i, row in batch.iterrows():\n            use(i, row['x'])\n        return batch\n",
        CALLED + "        v = [row.x for _, row in batch.iterrows()]\n        return batch\n",
        CALLED + "        v = [self.model.encode(t) for t in batch['t'] if t]\n        return batch\n",
        "# coding: latin-1\nclass P:\n    def __call__(self, batch):\n        batch['n'] = 1\n",
        "def f(:\n",
    ],
)
def test_what_takes_thought_or_is_allowed_is_left_alone(code: str) -> None:
    assert [one.finding.rule for one in fixable("core.py", code.encode())] == []


def test_a_key_that_is_there_under_its_right_name_too_is_left_to_the_author() -> None:
    source = b'metadata = {"feature_extractor_name": "words", "version": "1.0.0", "name": "other"}\n'

    assert fixed("manifest.py", source).source == source


def test_a_byte_order_mark_stays_and_does_not_shift_the_repair() -> None:
    source = b"\xef\xbb\xbfx = 1  # mixpeek: allow[security.open] a file\n"

    assert fixed("core.py", source).source == b"\xef\xbb\xbfx = 1\n"
