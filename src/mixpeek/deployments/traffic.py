"""Which versions may share the requests that follow a name: decisions without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mixpeek.deployments.models import Role, Share
from mixpeek.errors import Conflict, InvalidRequest
from mixpeek.registry.models import PluginVersion


@dataclass(frozen=True)
class Split:
    """What a deployment asks for: its role, and the percentage of the requests that follow its name."""

    role: Role
    traffic: int

    def __str__(self) -> str:
        if self.role == Role.STABLE:
            return "for all requests"
        return "as a shadow" if self.role == Role.SHADOW else f"with {self.traffic} % of the requests"


EVERYTHING = Split(Role.STABLE, 100)


def split_from(traffic: int | None, shadow: bool, *, batch_only: bool = False) -> Split:
    """Return the split that two parameters ask for.

    Args:
        traffic: 0 to 100; None where none was given.

    Raises: InvalidRequest: the two contradict each other.
    """
    if batch_only and (traffic is not None or shadow):
        name = "shadow" if shadow else "traffic"
        raise InvalidRequest(
            f"`{name}` is for realtime: with `deployment_type=batch_only` there are no requests to share",
            hint=f"Leave out `{name}`, or `deployment_type`",
            parameter=name,
        )
    if shadow and traffic:
        raise InvalidRequest(
            f"A shadow answers no request, so `shadow=true` does not go with `traffic={traffic}`",
            hint="Send `traffic=0&shadow=true` for a shadow, or leave out `shadow` for a canary",
            parameter="shadow",
        )
    if shadow:
        return Split(Role.SHADOW, 0)
    if traffic == 0:
        raise InvalidRequest(
            "With `traffic=0` no request would reach the version",
            hint="Send `traffic=0&shadow=true` to have requests mirrored to it, or `traffic` from 1 to 99",
            parameter="traffic",
        )
    return EVERYTHING if traffic in {None, 100} else Split(Role.CANARY, int(traffic or 0))


def beside(shares: Sequence[Share]) -> Share | None:
    """Return the canary or the shadow of a name, None if its stable version is alone."""
    return next((share for share in shares if share.role != Role.STABLE), None)


def share_of(shares: Sequence[Share], plugin_id: str) -> Share | None:
    """Return what a version has to do with the requests of its name, None if nothing."""
    return next((share for share in shares if share.plugin_id == plugin_id), None)


def check_beside(name: str, plugin_id: str, shares: Sequence[Share]) -> None:
    """Return if a version may be put beside what is live.

    Raises: Conflict: nothing is live, the version is the stable one itself, or another one is beside that already.
    """
    stable = next((share for share in shares if share.role == Role.STABLE), None)
    if stable is None:
        raise Conflict(
            f"Nothing of {name} is live, so there are no requests to share",
            hint="Deploy a version for all requests first: without `traffic` and `shadow`",
        )
    if stable.plugin_id == plugin_id:
        raise Conflict(
            f"{plugin_id} is the stable version of {name}; it cannot stand beside itself",
            hint="Name another version, or deploy this one without `traffic` and `shadow` to redeploy it",
        )
    other = beside(shares)
    if other is not None and other.plugin_id != plugin_id:
        raise Conflict(
            f"{stable.plugin_id} and {other.plugin_id} share the requests of {name}; there is no room for a third",
            hint=f"Promote or undeploy {other.plugin_id} first: {ways_out(other.plugin_id)}",
            plugin_ids=[stable.plugin_id, other.plugin_id],
        )


def warnings_of(role: Role, version: PluginVersion, stable: PluginVersion) -> list[str]:
    """Return what a client that follows the name will notice of a version of this role.

    Args:
        stable: The version beside it; for a role of `stable`, the one that it relieves.
    """
    if role == Role.SHADOW:
        return []
    warnings = []
    is_canary = role == Role.CANARY
    others = {feature.feature_name: feature for feature in version.parsed_manifest.features}
    for feature in stable.parsed_manifest.features:
        name, other = feature.feature_name, others.get(feature.feature_name)
        if other is None:
            answered = "its share of the requests" if is_canary else "a request"
            warnings.append(
                f"{version.plugin_id} has no feature {name!r}, which {stable.plugin_id} has: {answered}"
                f" for mixpeek://{stable.name}/{name} is answered 404"
            )
        elif other.embedding_dim != feature.embedding_dim:
            lengths = "vectors of both lengths" if is_canary else "vectors of another length than before"
            warnings.append(
                f"Feature {name!r} has {other.embedding_dim} numbers in {version.plugin_id} and {feature.embedding_dim}"
                f" in {stable.plugin_id}: whoever follows the name gets {lengths}"
            )
    return warnings


def ways_out(plugin_id: str) -> str:
    """Return the two commands that end a canary or a shadow."""
    return f"`mixpeek plugin promote {plugin_id}` or `mixpeek plugin undeploy {plugin_id}`"


def describe_share(share: Share | None) -> str:
    """Return, for a version that is ready, what requests it gets."""
    if share is None or (share.role == Role.STABLE and share.traffic == 100):
        return "Ready for realtime inference"
    if share.role == Role.SHADOW:
        return "Ready as a shadow: live requests are mirrored to it, and it answers those that name this version"
    return f"Ready for realtime inference, with {share.traffic} % of the requests that follow the name"
