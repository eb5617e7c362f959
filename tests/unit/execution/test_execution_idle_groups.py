"""Where a group for processors may be made, by what the kernel says of mounts and memberships."""

from __future__ import annotations

from pathlib import Path

import pytest

from mixpeek.execution import idle_groups
from mixpeek.execution.idle_groups import SHARE, TURN_S, Dues, Groups, IdleHost, parents

FIRST = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0\n"
SECOND = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev 0 0\n"
OTHERS = "proc /proc proc rw 0 0\ncgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0\n"


def test_in_the_first_version_it_is_made_below_our_own() -> None:
    memberships = "9:cpuset:/elsewhere\n4:cpu,cpuacct:/docker/1f\n"

    assert list(parents(OTHERS + FIRST, memberships)) == [Path("/sys/fs/cgroup/cpu,cpuacct/docker/1f")]


def test_in_the_second_version_it_is_made_below_the_first_group_of_all() -> None:
    assert list(parents(OTHERS + SECOND, "0::/\n")) == [Path("/sys/fs/cgroup")]


def test_in_the_second_version_it_is_made_beside_our_own_only_where_that_is_delegated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memberships = "0::/system.slice/mixpeek.service/server\n"
    unit = Path("/sys/fs/cgroup/system.slice/mixpeek.service")

    assert not list(parents(SECOND, memberships))

    monkeypatch.setattr(idle_groups, "_is_delegated", lambda group: group == unit)
    assert list(parents(SECOND, memberships)) == [unit]


def test_where_both_versions_are_the_one_that_has_processors_is_taken_first() -> None:
    both = FIRST + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"

    assert list(parents(both, "1:cpu:/\n0::/\n")) == [
        Path("/sys/fs/cgroup/cpu,cpuacct"),
        Path("/sys/fs/cgroup/unified"),
    ]


def test_a_machine_without_groups_has_nowhere() -> None:
    assert not list(parents(OTHERS, ""))


def test_a_group_that_cannot_be_idle_is_not_left_behind_and_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = tmp_path / idle_groups.IDLE
    made.mkdir()
    # A kernel without it: what would be the group's own file cannot be written.
    monkeypatch.setattr(idle_groups, "parents", lambda *_: [tmp_path])
    write = Path.write_text

    def refuse(path: Path, *arguments: str) -> int:
        if path.name == "cpu.idle":
            raise PermissionError(path)
        return write(path, *arguments)

    monkeypatch.setattr(Path, "write_text", refuse)

    with caplog.at_level("INFO"):
        assert idle_groups.make_groups.__wrapped__() is None

    assert not made.exists()
    assert "Delegate=cpu" in caplog.text


def test_a_host_that_was_kept_waiting_is_due_a_turn_until_it_has_had_it() -> None:
    dues = Dues()
    looks_until_due = next(look for look in range(1, 100) if dues.note(0.0, 0.25))

    assert looks_until_due == pytest.approx(TURN_S / SHARE / 0.25, abs=1)
    assert dues.note(TURN_S / 2, 0.1)
    assert not dues.note(TURN_S, 0.0)


def test_a_host_that_runs_its_share_is_due_nothing_and_what_it_missed_for_hours_is_not_made_up_for() -> None:
    busy, starved = Dues(), Dues()

    assert not any(busy.note(0.02, 0.23) for _ in range(1000))
    assert starved.note(0.0, 3600.0)
    assert not starved.note(2 * TURN_S, 0.0)


def test_a_host_moves_between_the_groups_as_its_turn_comes_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = Groups(tmp_path / "idle", tmp_path / "owed")
    moves: list[str] = []
    monkeypatch.setattr(Path, "write_text", lambda path, text: moves.append(f"{text} to {path.parent.name}"))

    host = IdleHost(7, groups)
    for cpu_s, kept_s in ((0.0, 0.0), (0.0, 10.0), (0.1, 10.0), (0.4, 10.0)):
        host.look(cpu_s, kept_s)

    assert moves == ["7 to idle", "7 to owed", "7 to idle"]
