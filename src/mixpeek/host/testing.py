"""Runs the plugin's own tests with pytest, inside the same walls as the plugin itself, and imports libraries early."""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Iterable

from mixpeek.contract.asking import connect
from mixpeek.host.loader import PluginPackage
from mixpeek.host.records import RecordHandler


def run_tests(package: PluginPackage) -> int:
    """Run pytest over the plugin's `tests` folder and return pytest's exit code."""
    import pytest  # only this needs it

    if not (package.root / "tests").is_dir():
        return int(pytest.ExitCode.NO_TESTS_COLLECTED)
    # Tests have nobody to ask, and see `logging` as pytest has it anywhere else.
    connect(None, package.root)
    for handler in [handler for handler in logging.root.handlers if isinstance(handler, RecordHandler)]:
        logging.root.removeHandler(handler)
    logging.root.setLevel(logging.WARNING)
    package.mount()
    root = str(package.root)
    # The mount is read-only, so pytest gets no cache; tests import the package by name, or its modules directly.
    options = ["-p", "no:cacheprovider", f"--rootdir={root}", "--import-mode=importlib", f"{root}/tests"]
    return int(pytest.main(options))


def import_libraries(modules: Iterable[str], *, with_pytest: bool) -> None:
    """Import modules that are none of the plugin's; one that cannot be is left to the plugin, which is told why."""
    for name in (*modules, *(("pytest",) if with_pytest else ())):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
