"""The registry of rules over a plugin's Python code; a new rule is a name in its family's file and a pair of samples.

A family is one file holding `RULES`; this file only lists the families.
"""

from __future__ import annotations

from mixpeek.inspection.rules import dynamic_code, dynamic_imports, introspection, native, network, processes
from mixpeek.inspection.rules.base import Rule

RULES: tuple[Rule, ...] = (
    *processes.RULES,
    *dynamic_code.RULES,
    *dynamic_imports.RULES,
    *network.RULES,
    *native.RULES,
    *introspection.RULES,
)
