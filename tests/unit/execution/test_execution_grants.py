"""What a plugin needs beyond a processor, what this machine has of it, and what is said where it has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mixpeek.errors import EgressOff, NoGpu
from mixpeek.execution import gpu, sandbox
from mixpeek.execution.egress.policy import EgressPolicy
from mixpeek.execution.grants import Grants
from mixpeek.execution.needs import with_needs
from mixpeek.execution.port import HostSpec, Step

SPEC = HostSpec(Path("/nowhere"), "sample")
NVIDIA = ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-caps/nvidia-cap1")


def step(resource_type: str, *, enabled: bool = True) -> Step:
    return Step(0, "Processor", resource_type, "always", enabled)


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    for name in ("null", "nvme0", "nvidia-modeset-of-mine", "dri/card0"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def make(dev: Path, *names: str) -> None:
    for name in names:
        (dev / name).parent.mkdir(exist_ok=True)
        (dev / name).touch()


@pytest.mark.parametrize(
    ("profile", "steps", "network", "has_gpu"),
    [
        ("cpu", [], False, False),
        ("api", [], True, False),
        ("gpu", [], False, True),
        ("cpu", [step("api")], True, False),
        ("cpu", [step("api", enabled=False)], False, False),
        ("gpu", [step("cpu"), step("api")], True, True),
    ],
)
def test_a_host_has_what_its_profile_or_an_enabled_step_names(
    profile: str, steps: list[Step], network: bool, has_gpu: bool
) -> None:
    assert with_needs(SPEC, profile, steps) == replace(SPEC, network=network, gpu=has_gpu)


def test_what_a_host_has_is_not_taken_away_by_steps_that_need_less() -> None:
    full = replace(SPEC, network=True, gpu=True)

    assert with_needs(full, "cpu", [step("cpu")]) == full


def test_a_machine_without_a_gpu_has_no_devices(dev: Path) -> None:
    make(dev, "dri/renderD128", "nvidiactl")

    assert gpu.find_devices(dev) == ()
    assert gpu.find_devices(dev / "absent") == ()


def test_all_devices_of_nvidia_cards_are_found_and_nothing_else(dev: Path) -> None:
    make(dev, *NVIDIA)

    assert gpu.find_devices(dev) == tuple(dev / name for name in NVIDIA)


def test_an_amd_card_needs_its_compute_device_and_the_render_nodes(dev: Path) -> None:
    make(dev, "kfd", "dri/renderD128")

    assert gpu.find_devices(dev) == (dev / "kfd", dev / "dri/renderD128")


def test_devices_are_bound_into_hosts_that_ask_for_a_gpu_only(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(dev, "nvidia0", "nvidiactl")
    monkeypatch.setattr(gpu, "find_devices", lambda: (dev / "nvidia0", dev / "nvidiactl"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")

    without = sandbox.command(SPEC, mode="bubblewrap", fd=9)
    line = sandbox.command(replace(SPEC, gpu=True), mode="bubblewrap", fd=9)

    at = line.index(str(dev / "nvidia0"))
    assert line[at - 1 : at + 2] == ["--dev-bind", str(dev / "nvidia0"), str(dev / "nvidia0")]
    assert line.index("--dev") < at < len(line) - line[::-1].index("/dev") - 1, (
        "after /dev is made, before it is closed"
    )
    assert line[line.index("CUDA_VISIBLE_DEVICES") + 1] == "1"
    assert str(dev / "nvidia0") not in without
    assert without[without.index("CUDA_VISIBLE_DEVICES") + 1] == ""


def test_a_gpu_that_is_there_is_granted() -> None:
    spec = replace(SPEC, gpu=True)

    assert Grants(has_gpu=True).decide(spec) == (spec, [])


def test_a_gpu_that_is_not_there_is_a_named_error_that_says_what_to_do() -> None:
    with pytest.raises(NoGpu, match=r"^NoGpu: .*ResourceType\.CPU.*MIXPEEK_GPU_FALLBACK=cpu"):
        Grants().decide(replace(SPEC, gpu=True))


def test_with_the_fallback_a_host_runs_without_its_gpu_and_a_warning_says_so() -> None:
    decided, warnings = Grants(gpu_fallback=True).decide(replace(SPEC, gpu=True, network=True))

    assert decided == replace(SPEC, network=True)
    assert "runs on the processor" in warnings[0]


@pytest.mark.parametrize(("value", "falls_back"), [("cpu", True), ("CPU ", True), ("", False), ("gpu", False)])
def test_the_fallback_is_asked_for_by_name(value: str, falls_back: bool) -> None:
    assert gpu.falls_back({"MIXPEEK_GPU_FALLBACK": value}) is falls_back


def test_where_no_plugin_has_a_network_one_that_asks_is_refused_by_name() -> None:
    grants = Grants(EgressPolicy(enabled=False))

    assert grants.decide(SPEC) == (SPEC, [])
    with pytest.raises(EgressOff, match=r"^EgressOff: .*MIXPEEK_EGRESS=off"):
        grants.decide(replace(SPEC, network=True))


def test_the_health_report_says_how_a_network_is_had() -> None:
    exempting = Grants(EgressPolicy.from_environ({"MIXPEEK_EGRESS_ALLOW": "10.0.0.0/8"}))

    assert exempting.egress_status("bubblewrap").mode == "proxy"
    assert "1 exempted" in exempting.egress_status("bubblewrap").detail
    assert Grants().egress_status("off").mode == "unrestricted"
    assert Grants().egress_status("unavailable").mode == "unavailable"
    assert Grants(EgressPolicy(enabled=False)).egress_status("bubblewrap").mode == "off"
