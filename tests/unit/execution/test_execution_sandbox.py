"""The command line of a host, and what is said when it cannot be built."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mixpeek.errors import SandboxUnavailable, SettingInvalid
from mixpeek.execution import sandbox
from mixpeek.execution.blocking import BlockingExecution
from mixpeek.execution.port import HostSpec


@pytest.fixture
def spec(tmp_path: Path) -> HostSpec:
    return HostSpec(tmp_path, "sample", memory_bytes=1000)


def test_the_plugin_is_bound_read_only_under_its_package_name(spec: HostSpec) -> None:
    line = sandbox.command(spec, mode="bubblewrap", fd=9)

    at = line.index("/plugin/sample")
    assert line[at - 2 : at + 1] == ["--ro-bind", str(spec.plugin_dir.resolve()), "/plugin/sample"]
    assert "--bind" not in line


def test_every_folder_above_a_mount_is_made_readable_first(spec: HostSpec) -> None:
    line = sandbox.command(spec, mode="bubblewrap", fd=9)

    made = [line[at + 1] for at, word in enumerate(line) if word == "--dir"]
    first_mount = line.index("/plugin/sample")
    assert line.index("/plugin") < first_mount
    assert all(line[line.index(path) - 3 : line.index(path) - 1] == ["--perms", "0755"] for path in made)


def test_every_host_has_a_network_namespace_of_its_own_and_a_proxy_only_if_it_asks_for_one(tmp_path: Path) -> None:
    closed = sandbox.command(HostSpec(tmp_path, "sample"), mode="bubblewrap", fd=9)
    opened = sandbox.command(HostSpec(tmp_path, "sample", network=True), mode="bubblewrap", fd=9, egress_fd=7)

    assert "--unshare-net" in closed
    assert "--unshare-net" in opened
    assert opened[-2:] == ["--egress", "7"]
    assert opened[opened.index("https_proxy") + 1] == "http://127.0.0.1:3128"
    assert {"--egress", "--network", "HTTPS_PROXY", "/etc/ssl/certs"}.isdisjoint(closed)


def test_the_process_before_the_host_is_hidden_as_a_thread_too(spec: HostSpec) -> None:
    line = " ".join(sandbox.command(spec, mode="bubblewrap", fd=9))

    for name in ("environ", "cmdline", "mem", "maps"):
        assert f"--ro-bind /dev/null /proc/1/{name} " in line
        assert f"--ro-bind /dev/null /proc/1/task/1/{name} " in line


def test_paths_inside_one_another_are_bound_once(tmp_path: Path) -> None:
    paths = sandbox.readable_paths(Path(sys.executable), [tmp_path, tmp_path / "inner"])

    assert tmp_path in paths
    assert tmp_path / "inner" not in paths


def test_a_machine_without_bubblewrap_is_told_how_to_repair_it(spec: HostSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("MIXPEEK_SANDBOX", raising=False)
    sandbox._probe_bubblewrap.cache_clear()
    try:
        with BlockingExecution() as execution, pytest.raises(SandboxUnavailable, match="not installed") as caught:
            execution.start(spec)
    finally:
        sandbox._probe_bubblewrap.cache_clear()

    assert "apt-get install" in str(caught.value.hint)


def test_turning_the_sandbox_off_says_so_and_still_tightens_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIXPEEK_SANDBOX", "off")
    (tmp_path / "realtime.py").write_text("import os\nclass RealtimeHandler:\n    def predict(self, r): os.fork()\n")

    assert sandbox.probe().mode == "off"
    with BlockingExecution() as execution:
        host = execution.start(HostSpec(tmp_path, "sample"))
        with pytest.raises(Exception, match="PermissionError"):
            host.predict({})


def test_a_setting_that_cannot_be_read_is_named_before_any_host_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXPEEK_EGRESS_ALLOW", "10.0.0.1/8")

    with pytest.raises(SettingInvalid, match=r"10\.0\.0\.1/8"):
        BlockingExecution()
