"""Runs the plugin's own tests with pytest, inside the same walls as the plugin itself."""

from __future__ import annotations

from mixpeek.host.loader import PluginPackage


def run_tests(package: PluginPackage) -> int:
    """Run pytest over the plugin's `tests` folder and return pytest's exit code."""
    import pytest  # only this mode needs it

    if not (package.root / "tests").is_dir():
        return int(pytest.ExitCode.NO_TESTS_COLLECTED)
    package.mount()
    root = str(package.root)
    # The mount is read-only, so pytest gets no cache; tests import the package by name, or its modules directly.
    options = ["-p", "no:cacheprovider", f"--rootdir={root}", "--import-mode=importlib", f"{root}/tests"]
    return int(pytest.main(options))
