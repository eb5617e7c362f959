"""A trial whose hosts lose their machines: that is no fault of the version's, unless it happens again and again."""

from __future__ import annotations

import pytest

from factories.rollout_walks import Platform
from mixpeek.deployments import trial
from mixpeek.deployments.trial import MOST_LOST, Trial
from mixpeek.errors import HostLost, NoRoom, ServiceUnavailable


def test_a_version_whose_machine_is_lost_is_tried_again_from_the_beginning(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_AGAIN_S", 0)
    version = platform.publish(platform.make_namespace(), "words", "1.0.0")
    platform.execution.losses = [HostLost("The machine was lost"), ServiceUnavailable("No cluster answers")]
    notes: list[str] = []

    tried = Trial(platform.database, platform.registry, platform.blocking)
    tried.run(version, batch_only=False, deployment_id="dep_1", note=notes.append)

    assert notes == ["Asked with its input schema's example; cosine 1.0000 in vector"]
    assert platform.execution.losses == []


def test_a_version_that_takes_machine_after_machine_along_is_refused_with_the_last_loss(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_AGAIN_S", 0)
    version = platform.publish(platform.make_namespace(), "words", "1.0.0")
    platform.execution.losses = [HostLost("The machine was lost")] * MOST_LOST

    with pytest.raises(HostLost, match="was lost"):
        Trial(platform.database, platform.registry, platform.blocking).run(
            version, batch_only=False, deployment_id="dep_1"
        )
    assert platform.execution.losses == []


def test_a_version_for_which_no_machine_has_room_is_refused_at_once(platform: Platform) -> None:
    version = platform.publish(platform.make_namespace(), "words", "1.0.0")
    platform.execution.losses = [NoRoom("The cluster had no room")]

    with pytest.raises(NoRoom):
        Trial(platform.database, platform.registry, platform.blocking).run(
            version, batch_only=False, deployment_id="dep_1"
        )
    assert platform.execution.losses == []
