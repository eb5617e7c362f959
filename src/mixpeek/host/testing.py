"""Runs the plugin's own tests with pytest, inside the same walls as the plugin itself, and imports libraries early."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
from collections.abc import Iterable

from mixpeek.contract.asking import connect
from mixpeek.host.loader import PluginPackage
from mixpeek.host.records import RecordHandler

# The mount is read-only, so there is no cache; and the walls let no process talk to another, as several would: where
# xdist is loaded, installed plugins such as rerunfailures open sockets for it before any test.
_WITHOUT = ("-p", "no:cacheprovider", "-p", "no:xdist")


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
    # Tests import the package by name, or its modules directly.
    return int(pytest.main([*_WITHOUT, f"--rootdir={root}", "--import-mode=importlib", f"{root}/tests"]))


def import_libraries(modules: Iterable[str], *, with_pytest: bool) -> None:
    """Import modules that are none of the plugin's; one that cannot be is left to the plugin, which is told why."""
    for name in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    if with_pytest:
        # It imports most of itself when it runs, and installed plugins to name them, as `--version` twice does.
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            import pytest

            pytest.main(["--version", "--version", *_WITHOUT])
