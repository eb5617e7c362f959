"""The server's settings as `mixpeek serve` would read them here, what is wrong with them, and what does not agree."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mixpeek.config import Settings


@dataclass(frozen=True)
class Readable:
    """Settings as far as they can be read; `data_dir` is None where no server can be started from here."""

    data_dir: Path | None = None
    database_url: str | None = None
    host: str = ""
    port: int = 0
    execution: str = "local"
    cluster_address: str | None = None
    set_count: int = 0
    faults: tuple[str, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()


def read() -> Readable:
    """Read the settings, as far as they can be."""
    if importlib.util.find_spec("pydantic_settings") is None:
        return Readable()
    from pydantic import ValidationError

    from mixpeek.config import Settings, unknown_variables  # with the extra `server` only

    unknown = [(warning, "Correct or unset it") for warning in unknown_variables(dict(os.environ))]
    try:
        settings = Settings()
    except ValidationError as error:
        faults = tuple(
            f"MIXPEEK_{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()
        )
        return Readable(faults=faults, warnings=tuple(unknown))
    return Readable(
        data_dir=settings.data_dir.expanduser().absolute(),
        database_url=settings.database_url,
        host=settings.host,
        port=settings.port,
        execution=settings.execution,
        cluster_address=settings.cluster_address,
        set_count=sum(f"MIXPEEK_{name.upper()}" in os.environ for name in Settings.model_fields),
        warnings=(*unknown, *_contradictions(settings)),
    )


def _contradictions(settings: Settings) -> list[tuple[str, str]]:
    """Return settings that are set and have no effect, or not the one they seem to have; each with what to do."""
    found: list[tuple[str, str]] = []

    def unless(fine: object, told: str, hint: str) -> None:
        if not fine:
            found.append((told, hint))

    s = settings
    unless(
        not (s.wheelhouse and s.index_url),
        "MIXPEEK_INDEX_URL has no effect beside MIXPEEK_WHEELHOUSE",
        "Unset one of both",
    )
    unless(s.egress == "auto" or not s.egress_allow, "MIXPEEK_EGRESS_ALLOW has no effect: MIXPEEK_EGRESS=off",
           "Unset one of both")  # fmt: skip
    unless(s.llm_url or not (s.llm_model or s.llm_secret), "MIXPEEK_LLM_MODEL and MIXPEEK_LLM_SECRET have no effect"
           " without MIXPEEK_LLM_URL", "Set MIXPEEK_LLM_URL, or unset them")  # fmt: skip
    unless(s.rate_limit_per_minute or not s.rate_limit_burst, "MIXPEEK_RATE_LIMIT_BURST has no effect without"
           " MIXPEEK_RATE_LIMIT_PER_MINUTE", "Set both, or none")  # fmt: skip
    unless(not (s.hub_offline and s.hub_token), "MIXPEEK_HUB_TOKEN has no effect: MIXPEEK_HUB_OFFLINE is set",
           "Unset one of both")  # fmt: skip
    unless(s.webhook_days * 24 >= s.webhook_retry_hours, "MIXPEEK_WEBHOOK_DAYS ends sooner than"
           " MIXPEEK_WEBHOOK_RETRY_HOURS", "Keep events for as long as their delivery is tried")  # fmt: skip
    is_local = s.host in {"127.0.0.1", "::1", "localhost"}
    unless(is_local or s.sandbox == "auto", f"MIXPEEK_SANDBOX=off on {s.host}: whoever may publish runs code as this"
           " user", "Unset MIXPEEK_SANDBOX")  # fmt: skip
    base, old = os.environ.get("MIXPEEK_BASE_URL"), os.environ.get("MIXPEEK_API_URL")
    unless(not (base and old) or base == old, "MIXPEEK_BASE_URL and MIXPEEK_API_URL differ; the first one counts",
           "Unset MIXPEEK_API_URL")  # fmt: skip
    return found
