"""Reads the settings of a server and refuses those that it could not run with, before anything is started."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mixpeek.config import Settings, unknown_variables
from mixpeek.documents.addresses import QdrantAddress
from mixpeek.errors import SettingInvalid
from mixpeek.execution.egress.policy import EgressPolicy, exemptions_from
from mixpeek.inspection.severities import overrides_from
from mixpeek.objects.opening import folder_of_url, open_url
from mixpeek.server.plan import Plan


def make_plan(host: str | None, port: int | None, data_dir: Path | None, role: str | None) -> Plan:
    """Return what to run; arguments left out come from the settings. Raises: SettingInvalid."""
    given = {"host": host, "port": port, "data_dir": data_dir, "role": role}
    settings = _read_settings({key: value for key, value in given.items() if value is not None})
    _check_role(settings)
    _check_cluster(settings)
    EgressPolicy.from_environ(os.environ)  # an entry that cannot be read ends the start here, not a plugin's host
    overrides_from(settings.rules)  # and so does a rule that does not exist
    exemptions_from(settings.webhook_allow, "MIXPEEK_WEBHOOK_ALLOW")
    if settings.documents_url:
        QdrantAddress.from_url(settings.documents_url)
    if settings.objects_url and folder_of_url(settings.objects_url) is None:
        open_url(settings.objects_url)
    return Plan(
        role=settings.role,
        data_dir=str(settings.data_dir),
        host=settings.host,
        port=settings.port,
        database_url=settings.database_url,
        buffers_mb=settings.database_buffers_mb,
        cluster_file=str(settings.cluster_file) if settings.has_own_cluster else None,
        bootstrap_api_key=settings.bootstrap_api_key,
        makes_signing_key=settings.signing_key is None,
        is_egress_off=settings.egress == "off",
        warnings=tuple(unknown_variables(dict(os.environ))),
    )


def _read_settings(given: dict[str, Any]) -> Settings:
    """Return the settings; raise SettingInvalid naming those that cannot be read, and none of their values."""
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = [f"MIXPEEK_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        raise SettingInvalid("; ".join(faults), hint="docs/reference/settings.md says what each may be") from None


def _check_role(settings: Settings) -> None:
    """Refuse to run one part of a platform whose other parts would find nothing of what this one keeps."""
    missing = [name for name in ("database_url", "objects_url") if getattr(settings, name) is None]
    if settings.role != "all" and missing:
        named = " and ".join(f"MIXPEEK_{name.upper()}" for name in missing)
        raise SettingInvalid(
            f"MIXPEEK_ROLE={settings.role} runs one part of a platform, and {named} is not set",
            hint="Name the database and the object store that its other parts use",
        )


def _check_cluster(settings: Settings) -> None:
    if settings.execution != "local" and importlib.util.find_spec("ray") is None:
        raise SettingInvalid(
            f"MIXPEEK_EXECUTION: {settings.execution} needs Ray, which is not installed",
            hint="Run `pip install 'mixpeek[ray]'`",
        )
