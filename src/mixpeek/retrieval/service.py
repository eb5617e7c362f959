"""Retrievers as they are kept: made, checked against what they search, renamed, cloned and deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from pydantic import ValidationError

from mixpeek.db.pool import Connection, new_id
from mixpeek.errors import AlreadyExists, InvalidRequest, NotFound
from mixpeek.retrieval import queries
from mixpeek.retrieval.models import Retriever
from mixpeek.retrieval.recipes import bound_features, check_recipe
from mixpeek.retrieval.schemas import CloneRetriever, CreateRetriever, PatchRetriever
from mixpeek.retrieval.targets import Target

IMMUTABLE = ("stages", "input_schema", "collection_identifiers", "budget_limits")
MUTABLE = ("retriever_name", "description", "tags", "visibility", "display_config")


def create_retriever(
    connection: Connection,
    namespace_id: str,
    body: CreateRetriever,
    *,
    bound: Mapping[str, Sequence[str]] | None = None,
) -> Retriever:
    """Create a retriever whose every stage fits its collections and its inputs.

    Args: bound: collections by a feature address that they had, as those of a retriever that is cloned.

    Raises: NotFound: no such collection. InvalidRequest: an unknown stage, parameter, feature or input.
    """
    targets = get_targets(connection, namespace_id, body.collection_identifiers)
    stages = check_recipe(body, targets, bound or {})
    retriever_id = new_id("ret")
    inserted = queries.insert_retriever(
        connection,
        {
            "retriever_id": retriever_id,
            "namespace_id": namespace_id,
            "retriever_name": body.retriever_name,
            "description": body.description,
            "collection_ids": [target.collection_id for target in targets],
            "stages": stages,
            "input_schema": {name: declared.model_dump() for name, declared in body.input_schema.items()},
            "budget_limits": body.budget_limits.model_dump() if body.budget_limits else None,
            "tags": body.tags or [],
            "visibility": body.visibility or "private",
            "display_config": body.display_config,
            "dependencies": bound_features(stages, targets, bound or {}),
        },
    )
    if not inserted:
        raise _name_taken(body.retriever_name)
    return get_retriever(connection, namespace_id, retriever_id)


def clone_retriever(
    connection: Connection, namespace_id: str, identifier: str, body: CloneRetriever
) -> tuple[Retriever, Retriever]:
    """Create a retriever like another one, with what the body gives in place of what that one has; return both."""
    like = get_retriever(connection, namespace_id, identifier)
    given = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    whole = {
        "collection_identifiers": like.collection_ids,
        "stages": like.stages,
        "input_schema": like.input_schema,
        "budget_limits": like.budget_limits,
        "description": like.description,
        "tags": like.tags,
        "display_config": like.display_config,
        "visibility": like.visibility,
        **given,
    }
    try:
        wanted = CreateRetriever.model_validate(whole)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"{place}: {first['msg']}", hint="Give the clone what the request lacks") from error
    return create_retriever(connection, namespace_id, wanted, bound=like.dependencies), like


def update_retriever(connection: Connection, namespace_id: str, identifier: str, body: PatchRetriever) -> Retriever:
    """Change what a retriever is called and described as; what it was before stays as a version.

    Raises: InvalidRequest: the body would change what it finds. AlreadyExists: the name is taken.
    """
    retriever = queries.find_retriever(connection, namespace_id, identifier, lock=True)
    if retriever is None:
        raise NotFound("retriever", identifier)
    given = body.model_dump(exclude_unset=True)
    fixed = [name for name in IMMUTABLE if given.get(name) is not None]
    if fixed:
        raise InvalidRequest(
            f"{', '.join(f'`{name}`' for name in fixed)} cannot be changed: it decides what the retriever finds",
            hint=f"POST /v1/retrievers/{retriever.retriever_id}/clone makes another one with it",
        )
    now = retriever.wire()
    changed = {name: now[name] for name in MUTABLE}
    changed |= {name: given[name] for name in MUTABLE if name in given}
    changed["retriever_name"] = changed["retriever_name"] or retriever.retriever_name
    changed["tags"] = changed["tags"] or []
    changed["visibility"] = changed["visibility"] or retriever.visibility
    if changed == {name: now[name] for name in MUTABLE}:
        return retriever
    try:
        queries.update_retriever(connection, retriever.retriever_id, changed)
    except psycopg.errors.UniqueViolation as taken:
        raise _name_taken(changed["retriever_name"]) from taken
    return get_retriever(connection, namespace_id, retriever.retriever_id)


def delete_retriever(connection: Connection, namespace_id: str, identifier: str) -> Retriever:
    """Delete a retriever and return what it was."""
    retriever = get_retriever(connection, namespace_id, identifier)
    queries.delete_retriever(connection, retriever.retriever_id)
    return retriever


def list_versions(connection: Connection, namespace_id: str, identifier: str) -> list[dict[str, Any]]:
    """Return what a retriever was called and described as, the current version first."""
    retriever = get_retriever(connection, namespace_id, identifier)
    now = retriever.wire()
    names = ("version", *MUTABLE)
    current = {**{name: now[name] for name in names}, "created_at": retriever.updated_at, "is_current": True}
    earlier = queries.list_versions(connection, retriever.retriever_id)
    return [current, *({**each, "is_current": False} for each in earlier)]


def get_retriever(connection: Connection, namespace_id: str, identifier: str) -> Retriever:
    """Return the retriever with this id or name."""
    retriever = queries.find_retriever(connection, namespace_id, identifier)
    if retriever is None:
        raise NotFound("retriever", identifier)
    return retriever


def get_targets(connection: Connection, namespace_id: str, identifiers: Sequence[str]) -> list[Target]:
    """Return the live generations of collections; raise NotFound for one that is not there."""
    targets = queries.list_targets(connection, namespace_id, identifiers)
    known = {name for target in targets for name in (target.collection_id, target.collection_name)}
    missing = [name for name in identifiers if name not in known]
    if missing:
        raise NotFound("collection", missing[0])
    return targets


def _name_taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"There is a retriever named {name!r} already", hint="Use it, or pick another name")
