"""The registry of rules over a plugin's Python code: one file per rule, each with its samples; listed here, no more."""

from __future__ import annotations

from mixpeek.inspection.rules import (
    allow_comments,
    attribute_getters,
    code_files,
    code_runners,
    compile_,
    computed_attribute,
    computed_import,
    ctypes_,
    dunder_import,
    eval_,
    exec_,
    frames,
    hidden_characters,
    hooks,
    insides,
    launchers,
    lint,
    loaded_modules,
    loaders,
    mmap_,
    module_as_value,
    monkeypatch,
    multiprocessing_,
    network,
    open_,
    os_system,
    pickle_,
    setattr_,
    signals,
    socket_,
    subprocess_,
    sys_path,
    threading_,
)
from mixpeek.inspection.rules.base import Rule, RuleSet

# What S2 of the contract forbids, then the rest.
SECURITY_RULES: tuple[Rule, ...] = (
    subprocess_.RULE,
    os_system.RULE,
    eval_.RULE,
    exec_.RULE,
    dunder_import.RULE,
    socket_.RULE,
    ctypes_.RULE,
    attribute_getters.RULE,
    code_runners.RULE,
    compile_.RULE,
    computed_attribute.RULE,
    computed_import.RULE,
    frames.RULE,
    hidden_characters.RULE,
    hooks.RULE,
    insides.RULE,
    launchers.RULE,
    loaded_modules.RULE,
    loaders.RULE,
    mmap_.RULE,
    module_as_value.RULE,
    monkeypatch.RULE,
    multiprocessing_.RULE,
    network.RULE,
    open_.RULE,
    pickle_.RULE,
    setattr_.RULE,
    signals.RULE,
    sys_path.RULE,
    threading_.RULE,
)
LINT_RULES = lint.RULES
RULES: tuple[Rule, ...] = (*SECURITY_RULES, *LINT_RULES)
RULE_SET = RuleSet(RULES)
# Said by the scan itself, about files and comments.
FILE_RULES: tuple[Rule, ...] = (*code_files.RULES, *allow_comments.RULES)
KNOWN: dict[str, Rule] = {rule.name: rule for rule in (*RULES, *FILE_RULES)}
