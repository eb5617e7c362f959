"""Upgrading a collection to another version of its extractor, while it is searched."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from mixpeek.api.access import Deleter, HeaderNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.schemas.upgrades import ComparisonReport, Upgrade, UpgradePlan
from mixpeek.collections.service import get_collection
from mixpeek.upgrades import service
from mixpeek.upgrades.schemas import BeginUpgrade, CompareGenerations, SwitchGeneration

router = APIRouter(prefix="/v1/collections/{collection_identifier}/upgrade", tags=["collections"])


def _force_of(body: SwitchGeneration | None = None) -> str | None:
    return body.force if body else None


Forced = Annotated[str | None, Depends(_force_of)]


@router.post("", **answers(UpgradePlan, 409, checked=True))
def upgrade_collection(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, collection_identifier: str, body: BeginUpgrade
) -> dict[str, Any]:
    """Say what another version of its extractor would change; with `start`, build its documents beside the live ones.

    Searches stay with the live generation until a switch; what is written meanwhile goes to both.
    """
    return service.plan_upgrade(platform.registry, namespace, collection_identifier, body)


@router.get("", **answers(Upgrade, checked=True))
def get_collection_upgrade(
    platform: PlatformDep, namespace: HeaderNamespace, collection_identifier: str
) -> dict[str, Any]:
    """Return how the newest upgrade of a collection stands."""
    with platform.database.transaction() as connection:
        collection = get_collection(connection, namespace.namespace_id, collection_identifier)
        return service.describe(connection, service.get_upgrade(connection, collection))


@router.post("/compare", **answers(ComparisonReport, 409, checked=True))
def compare_generations(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    collection_identifier: str,
    body: CompareGenerations | None = None,
) -> dict[str, Any]:
    """Ask both generations the same queries, and report how alike their answers are and what only one of them has."""
    given = body or CompareGenerations()
    return platform.comparison.compare(namespace.namespace_id, collection_identifier, given)


@router.post("/switch", **answers(Upgrade, 409, checked=True))
def switch_generation(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    collection_identifier: str,
    force: Forced,
) -> dict[str, Any]:
    """Have the new generation searched from the next query on; refused while it is not complete, unless forced."""
    return service.switch(platform.registry, namespace, collection_identifier, force)


@router.post("/rollback", **answers(Upgrade, 409, checked=True))
def roll_back_generation(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    collection_identifier: str,
    force: Forced,
) -> dict[str, Any]:
    """Have the former generation searched again from the next query on, with all that was written since the switch."""
    return service.roll_back(platform.registry, namespace, collection_identifier, force)


@router.post("/cancel", **answers(Upgrade, 409, checked=True))
def cancel_upgrade(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, collection_identifier: str
) -> dict[str, Any]:
    """End an upgrade that was not switched: its build stops, and its generation is dropped."""
    with platform.database.transaction() as connection:
        return service.cancel(connection, namespace, collection_identifier)


@router.post("/drop", **answers(Upgrade, 409, checked=True))
def drop_generation(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Deleter, collection_identifier: str
) -> dict[str, Any]:
    """Give up the generation that is not searched, which ends the upgrade; from here on writes go to one again.

    Its documents are removed by the task that `task_id` names.
    """
    with platform.database.transaction() as connection:
        return service.drop(connection, namespace, collection_identifier)
