"""Finding the version behind an extractor's name: the namespace's own, one its organization shares, or a built-in.

Built-ins are ordinary plugins, published by the platform into a namespace of its own when first asked for.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from mixpeek import __version__
from mixpeek.contract.versions import normalise_version
from mixpeek.errors import InvalidRequest, NotFound
from mixpeek.inspection.pack import pack_directory
from mixpeek.objects.store import local_copy
from mixpeek.registry import queries
from mixpeek.registry.errors import PluginRejected
from mixpeek.registry.library import find_enabled
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry
from mixpeek.registry.validation import validate_archive
from mixpeek.scaffolds import render
from mixpeek.tenancy.models import BUILTIN_NAMESPACE
from mixpeek.tenancy.queries import find_first_organization, find_namespace

# name → the scaffold category it is rendered from: the built-in text extractor is what an author's
# `plugin init --category text` starts with, under its own name.
BUILTINS = {"text_extractor": "text"}
BUILTIN_VERSION = "1.0.0"


def find_extractor(registry: Registry, namespace_id: str, name: str, version: str | None) -> PluginVersion:
    """Return the version that `name` and `version` mean in a namespace; no version or `latest` is the active one.

    Raises: NotFound: neither the namespace nor the platform has it. InvalidRequest: not a version number.
    """
    number = _number(version)
    with registry.database.transaction() as connection:
        found = queries.find_version_by_name(connection, namespace_id, name, number)
        if found is None:
            found = find_enabled(connection, namespace_id, name, number)
    if found is None and name in BUILTINS and number in (None, BUILTIN_VERSION):
        found = find_builtin(registry, name)
    if found is None:
        wanted = name if number is None else f"{name} {number}"
        raise NotFound(
            "feature extractor",
            wanted,
            hint="`mixpeek plugin list --source all` shows the extractors of this namespace and their versions",
        )
    return found


def _number(version: str | None) -> str | None:
    if version is None or version == "latest":
        return None
    try:
        return normalise_version(version)
    except ValueError as error:
        raise InvalidRequest(str(error), hint="Write versions as 1.2.3 (or v1, 1.2)") from error


def find_builtin(registry: Registry, name: str) -> PluginVersion:
    """Return an extractor shipped with the platform, publishing it on first use."""
    with registry.database.transaction() as connection:
        # One process publishes it, the others wait here and then find it.
        queries.lock_name(connection, BUILTIN_NAMESPACE, name)
        found = queries.find_version_by_name(connection, BUILTIN_NAMESPACE, name, BUILTIN_VERSION)
        if found is not None:
            return found
        organization = find_first_organization(connection)
        namespace = find_namespace(connection, organization or "", BUILTIN_NAMESPACE)
        assert namespace is not None, "the built-in namespace is made before the server answers"
        with local_copy([_archive(name)]) as archive:
            validated = validate_archive(
                registry.execution,
                archive.file,
                registry.scratch,
                uid=namespace.host_uid,
                expected_name=name,
                expected_version=None,
            )
            if validated.manifest is None:
                raise PluginRejected(validated.findings)
            return registry.publish(
                connection, namespace, name, BUILTIN_VERSION, validated, archive,
                description=None, message=f"shipped with mixpeek {__version__}", actor="platform",
            )  # fmt: skip


def _archive(name: str) -> bytes:
    into = Path(tempfile.mkdtemp(prefix="mixpeek-builtin-"))
    try:
        render(BUILTINS[name], name, "Sentence embeddings of text (all-MiniLM-L6-v2)", "mixpeek", into / name)
        return pack_directory(into / name)
    finally:
        shutil.rmtree(into, ignore_errors=True)
