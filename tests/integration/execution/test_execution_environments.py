"""Environments of declared packages, built by the real uv from a folder of tiny wheels."""

from __future__ import annotations

import hashlib
import importlib.metadata
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from factories.wheels import write_wheel
from mixpeek.errors import DependenciesRefused, EnvironmentUnavailable
from mixpeek.execution.environments.lock import Lock
from mixpeek.execution.environments.store import Environments, Prepared


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Path:
    folder = tmp_path / "wheelhouse"
    write_wheel(folder, "wordlib", "1.0")
    return folder


@pytest.fixture
def environments(tmp_path: Path, wheelhouse: Path) -> Environments:
    return Environments(tmp_path / "environments", wheelhouse=wheelhouse, timeout_s=60)


def version_in(prepared: Prepared, module: str) -> str:
    """Import a module as a host would find it, and return its `VERSION`."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import {module}; print({module}.VERSION)"],
        env={"PYTHONPATH": os.pathsep.join(map(str, prepared.folders)), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_what_the_server_has_needs_no_build_and_no_uv(
    environments: Environments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixpeek.execution.environments.uv._program", lambda: pytest.fail("uv was run"))

    prepared = environments.prepare(["numpy>=2", "onnxruntime", "tokenizers"])

    assert prepared.folders == ()
    locked = {package.name: package for package in prepared.lock.packages}
    assert locked["numpy"].version == importlib.metadata.version("numpy")
    assert locked["flatbuffers"].provided, "what the declared packages need themselves belongs to the lock"
    assert not environments.root.exists()


def test_what_the_server_lacks_is_installed_beside_it_and_locked_by_hash(
    environments: Environments, wheelhouse: Path
) -> None:
    write_wheel(wheelhouse, "deeper", "0.3")
    wheel = write_wheel(wheelhouse, "outer", "1.4", requires=["deeper>=0.2", "numpy>=2"])

    prepared = environments.prepare(["outer"])

    assert version_in(prepared, "outer") == "1.4"
    assert version_in(prepared, "deeper") == "0.3"
    locked = {package.name: package for package in prepared.lock.packages}
    assert set(locked) == {"outer", "deeper", "numpy"}
    assert locked["outer"].hashes == (hashlib.sha256(wheel.read_bytes()).hexdigest(),)
    assert locked["numpy"].provided
    assert str(wheelhouse) not in str(prepared.lock.wire())
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("outer")


def test_a_recorded_lock_is_used_though_newer_releases_exist(environments: Environments, wheelhouse: Path) -> None:
    first = environments.prepare(["wordlib"])
    write_wheel(wheelhouse, "wordlib", "2.0")
    recorded = Lock.from_wire(first.lock.wire())

    again = environments.prepare(["wordlib"], recorded)
    elsewhere = Environments(environments.root.with_name("other"), wheelhouse=wheelhouse).prepare(["wordlib"], recorded)
    afresh = environments.prepare(["wordlib"])

    assert again.folders == first.folders
    assert version_in(elsewhere, "wordlib") == "1.0"
    assert version_in(afresh, "wordlib") == "2.0"
    assert afresh.folders != first.folders, "both versions stand side by side"


def test_a_wheel_that_is_not_the_recorded_one_is_refused(environments: Environments, wheelhouse: Path) -> None:
    recorded = environments.prepare(["wordlib"]).lock
    write_wheel(wheelhouse, "wordlib", "1.0", files={"wordlib/__init__.py": "VERSION = 'altered'\n"})

    with pytest.raises(DependenciesRefused, match=r"(?is)hash.*first installed with"):
        Environments(environments.root.with_name("other"), wheelhouse=wheelhouse).prepare(["wordlib"], recorded)


def test_versions_that_conflict_are_refused_in_the_resolvers_words(
    environments: Environments, wheelhouse: Path
) -> None:
    write_wheel(wheelhouse, "oldish", requires=["numpy<2"])

    with pytest.raises(DependenciesRefused) as refused:
        environments.prepare(["oldish"])

    assert "oldish depend" in refused.value.message and "numpy<2" in refused.value.message
    assert "the platform itself needs numpy" in refused.value.message


def test_an_unknown_package_is_refused_with_the_nearest_name(environments: Environments) -> None:
    with pytest.raises(DependenciesRefused, match=r"no package `wordlibb` here; did you mean `wordlib`\?"):
        environments.prepare(["wordlibb"])


def test_a_package_that_comes_as_source_only_is_refused_by_name(environments: Environments, wheelhouse: Path) -> None:
    (wheelhouse / "rawsource-1.0.tar.gz").write_bytes(b"never opened")

    with pytest.raises(DependenciesRefused, match="rawsource comes as source only"):
        environments.prepare(["rawsource"])


def test_a_wheel_for_another_machine_is_refused_by_name(environments: Environments, wheelhouse: Path) -> None:
    write_wheel(wheelhouse, "winlib", tag="cp311-cp311-win_amd64")

    with pytest.raises(DependenciesRefused, match="winlib has no wheel for this machine"):
        environments.prepare(["winlib"])


@pytest.mark.parametrize(
    "module", ["sitecustomize.py", "usercustomize/__init__.py", "mixpeek/__init__.py", "engine/x.py", "pyseccomp.py"]
)
def test_a_package_that_would_run_before_the_host_is_closed_is_refused(
    environments: Environments, wheelhouse: Path, module: str
) -> None:
    write_wheel(wheelhouse, "trojan", files={module: "print('ran')\n", "trojan.py": "VERSION = 1\n"})

    with pytest.raises(DependenciesRefused, match=rf"trojan 1.0 brings a top-level module `{module[:4]}"):
        environments.prepare(["trojan"])

    assert [path.name for path in environments.root.iterdir() if not path.name.startswith(".")] == []


def test_a_package_cannot_hide_the_standard_library(environments: Environments, wheelhouse: Path) -> None:
    files = {
        "json/__init__.py": "raise SystemExit('hidden')\n",
        "socket.cpython-311-x86_64-linux-gnu.so": "no library at all",
        "argparse.py": "raise SystemExit('hidden')\n",
        "backport.py": "import json, socket, argparse\nVERSION = json.dumps(1)\n",
    }
    write_wheel(wheelhouse, "backport", files=files)

    assert version_in(environments.prepare(["backport"]), "backport") == "1"


def test_the_host_keeps_its_own_filter_library(environments: Environments, wheelhouse: Path) -> None:
    write_wheel(wheelhouse, "pyseccomp", "99.0")

    with pytest.raises(DependenciesRefused, match="pyseccomp"):
        environments.prepare(["pyseccomp>=99"])


def test_a_pth_file_of_a_package_is_not_run(environments: Environments, wheelhouse: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    line = f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n"
    write_wheel(wheelhouse, "haspth", files={"haspth.pth": line, "haspth.py": "VERSION = 1\n"})

    prepared = environments.prepare(["haspth"])

    assert version_in(prepared, "haspth") == "1"
    assert not mark.exists()


@pytest.mark.parametrize(
    "dependency",
    [
        "wordlib; os_name == '\n--index-url http://127.0.0.1:1/simple\n-r /etc/passwd\n'",
        "--index-url http://127.0.0.1:1/simple",
        "wordlib @ file:///etc/passwd",
        "wordlib\n-r /etc/passwd",
    ],
)
def test_nothing_but_plain_requirements_reaches_uv(environments: Environments, dependency: str) -> None:
    with pytest.raises(DependenciesRefused, match="no package name with a version range"):
        environments.prepare([dependency])


def test_a_dependency_for_other_machines_only_is_left_out(environments: Environments) -> None:
    assert environments.prepare(["nowhere-to-be-found; sys_platform == 'win32'"]).folders == ()


def test_an_environment_that_was_damaged_is_built_again(environments: Environments) -> None:
    folder = environments.prepare(["wordlib"]).folders[0]
    (folder / "wordlib" / "__init__.py").unlink()
    (folder / "wordlib").rename(folder / "gone")

    again = environments.prepare(["wordlib"])

    assert version_in(again, "wordlib") == "1.0"
    assert not (folder / "gone").exists()


def test_an_environment_without_its_marker_is_built_again(environments: Environments) -> None:
    folder = environments.prepare(["wordlib"]).folders[0]
    (folder.parent / "environment.json").unlink()

    assert version_in(environments.prepare(["wordlib"]), "wordlib") == "1.0"


def test_what_a_killed_builder_left_is_cleared_by_the_next(environments: Environments) -> None:
    folder = environments.prepare(["wordlib"]).folders[0]
    key = folder.parent.name
    folder.parent.rename(environments.root / f".building-{key}-killed")

    environments.prepare(["wordlib"])

    assert [path.name for path in environments.root.glob(".building-*")] == []


def _prepare(root: Path, wheelhouse: Path, results: multiprocessing.SimpleQueue[str]) -> None:
    results.put(Environments(root, wheelhouse=wheelhouse).prepare(["wordlib"]).summary.partition(":")[0])


def test_processes_that_want_the_same_environment_build_it_once(environments: Environments, wheelhouse: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
    builders = [context.Process(target=_prepare, args=(environments.root, wheelhouse, results)) for _ in range(3)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(60)

    told = sorted(results.get() for _ in builders)

    assert sum(text.startswith("built in") for text in told) == 1, told


def test_an_environment_over_its_size_is_refused(environments: Environments, wheelhouse: Path) -> None:
    small = Environments(environments.root, wheelhouse=wheelhouse, max_bytes=10)

    with pytest.raises(DependenciesRefused, match="an environment may have 10"):
        small.prepare(["wordlib"])


def test_every_user_can_read_an_environment(environments: Environments) -> None:
    before = os.umask(0o077)
    try:
        folder = environments.prepare(["wordlib"]).folders[0]
    finally:
        os.umask(before)

    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o004, path


def test_a_build_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()

    with pytest.raises(EnvironmentUnavailable, match="not built in time"):
        # An address that swallows what is sent to it.
        Environments(tmp_path / "e", index_url="http://192.0.2.1/simple", timeout_s=0.3).prepare(["wordlib"])

    assert time.monotonic() - began < 5


def test_a_wheelhouse_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnavailable, match="missing is not a folder"):
        Environments(tmp_path / "e", wheelhouse=tmp_path / "missing").prepare(["wordlib"])


def test_unused_environments_are_cleared_and_used_ones_stay(environments: Environments, wheelhouse: Path) -> None:
    write_wheel(wheelhouse, "other", "1.0")
    live = environments.prepare(["wordlib"])
    kept = live.folders[0].parent
    old = environments.prepare(["other"]).folders[0].parent
    for folder in (kept, old):
        os.utime(folder, (0, 0))

    assert environments.clear([live.lock], days=30) == 1

    assert kept.is_dir() and not old.exists()
    assert version_in(environments.prepare(["other"]), "other") == "1.0"


def test_what_the_server_stopped_bringing_is_replaced_by_what_it_brings_now(environments: Environments) -> None:
    recorded = environments.prepare(["flatbuffers"]).lock.wire()
    recorded["packages"] = [{**package, "version": "0.0.1"} for package in recorded["packages"]]

    prepared = environments.prepare(["flatbuffers"], Lock.from_wire(recorded))

    assert prepared.folders == ()
    assert "newer than those of the lock" in prepared.summary
