"""Every setting of the server, read once from `MIXPEEK_*` variables into one typed object.

Author-side variables (`MIXPEEK_API_KEY` and its kin) belong to the client; here they are only known by name.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

CLIENT_VARIABLES = frozenset({"MIXPEEK_API_KEY", "MIXPEEK_NAMESPACE", "MIXPEEK_BASE_URL", "MIXPEEK_API_URL"})
# What stands for a secret in `mixpeek plugin test`, on an author's machine.
CLIENT_PREFIX = "MIXPEEK_SECRET_"
_EXECUTION = re.compile(r"local|ray:(local|auto|(//)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5})")


class Settings(BaseSettings):
    """What an operator can set; field `x` is the variable `MIXPEEK_X`."""

    model_config = SettingsConfigDict(env_prefix="MIXPEEK_", extra="ignore")

    role: Literal["all", "api", "worker"] = Field(
        "all",
        description="What this server runs beside others on one database: `api` answers requests, `worker` works.",
    )
    data_dir: Path = Field(Path("mixpeek-data"), description="Where the embedded database, objects and caches live.")
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    public_url: str | None = Field(None, description="Base URL put into presigned URLs; the request's own if unset.")
    database_url: str | None = Field(
        None,
        description="PostgreSQL with pgvector, as in"
        " `postgresql://user@db-1,db-2/mixpeek?target_session_attrs=read-write`; embedded in the data dir if unset.",
    )
    database_buffers_mb: int = Field(
        64,
        ge=16,
        description="Memory in which the embedded database keeps what it read last (`shared_buffers`). The system's"
        " file cache holds the rest; raise it where collections are large and searched all the time.",
    )
    index_build_mb: int = Field(
        512,
        ge=64,
        description="Memory in which the database builds one index of vectors. Segments are merged as far as it"
        " suffices; with more, a large collection has fewer, and a search asks each of them.",
    )
    database_replica_urls: str = Field(
        "", description="Streaming replicas of it that searches read from, separated by spaces; the primary if unset."
    )
    database_replica_lag_s: float = Field(
        10.0, gt=0, description="A replica that is further behind is not read from; heartbeats alone make it 2 s."
    )
    api_connections: int = Field(
        20, ge=2, description="Most connections of an API process's pool, and of each replica's."
    )
    worker_connections: int = Field(
        20, ge=4, description="Most connections of a worker's pool; its workflow engine has more."
    )
    documents_url: str | None = Field(
        None,
        description="Where vectors of documents lie: `qdrant://host:port`, or `qdrants://` with TLS, perhaps with"
        " `?shards=6&replicas=2` for what is made there; the database if unset.",
    )
    documents_api_key: SecretStr | None = Field(None, description="API key of the store of vectors.")
    objects_url: str | None = Field(
        None,
        description="Where archives and blobs lie: `s3://bucket` or `s3://bucket/folder`, with endpoint, region and"
        " credentials from `AWS_*` variables, or `file:///folder`; the data dir if unset.",
    )
    objects_presign: Literal["store", "server"] = Field(
        "store", description="Who signs URLs of an S3 store: `store` itself, or `server`, where no client reaches it."
    )
    objects_public_endpoint: str | None = Field(
        None, description="Endpoint put into URLs that the store signs, where clients reach it by another than we do."
    )
    bootstrap_api_key: str | None = Field(None, description="Becomes the organization's admin key on first start.")
    secrets_key: SecretStr | None = Field(
        None,
        description="Fernet keys of the secrets, separated by commas: the first encrypts, all of them decrypt;"
        " `secrets.key` in the data dir if unset.",
    )
    signing_key: SecretStr | None = Field(
        None,
        description="Signs URLs; must be the same for all API processes on one database. `signing.key` in the data dir"
        " if unset.",
    )
    execution: str = Field(
        "local",
        description="Where plugins run: `local` in child processes; `ray:local` on a Ray cluster that the server starts"
        " on its machine; `ray:auto` on the one its machine is part of, `ray:HOST:PORT` on the one with that head, or"
        " `ray://HOST:PORT` through that one's client port.",
    )
    ray_placement_s: float = Field(
        30.0, gt=0, description="How long a plugin's host waits for a machine of the cluster that has room for it."
    )
    ray_cache_dir: Path | None = Field(
        None,
        description="Folder on the cluster's machines for plugins, their packages and models, kept by content hash;"
        " one of the user's own in the machine's temporary folder if unset.",
    )
    sandbox: Literal["auto", "off"] = Field("auto", description="`off` runs plugins without isolation, loudly.")
    egress: Literal["auto", "off"] = Field(
        "auto", description="`off` gives no plugin a network, not even those whose resource type is `api`."
    )
    egress_allow: str = Field(
        "",
        description="Addresses that `api` plugins may reach although they are not public, separated by commas:"
        " `host:port`, `host`, `10.1.0.0/16`, `10.1.0.0/16:443`.",
    )
    llm_url: str | None = Field(
        None,
        description="OpenAI-compatible endpoint of the language model that plugins may ask, as in"
        " `https://api.openai.com/v1`; none if unset.",
    )
    llm_model: str | None = Field(None, description="Model that is asked where a plugin names none.")
    llm_secret: str | None = Field(
        None,
        description="Name of the secret that holds its API key; it must be granted to the namespace that asks. No"
        " key is sent if unset.",
    )
    llm_timeout_s: float = Field(60.0, gt=0, le=600, description="How long one answer of it may take.")
    gpu_fallback: Literal["", "cpu"] = Field(
        "", description="`cpu` runs plugins that ask for a GPU on the processor where there is none."
    )
    batch_hosts: int | None = Field(
        None,
        ge=1,
        description="Plugin hosts that a worker's batches share, alike by namespace; each batch has one at least. As"
        " many as the machine has processors if unset; on a Ray cluster as many as its machines have at the moment.",
    )
    batches_at_once: int = Field(
        8, ge=1, description="Batches one worker runs side by side, of each namespace two at most."
    )
    batch_failed_share: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of a batch's rows that may fail, from the 1,000th on, before it is stopped; 1 is no limit.",
    )
    chunk_rows: int = Field(512, ge=1, le=8192, description="Most objects in one chunk, the unit a batch commits.")
    max_archive_bytes: int = Field(500 * 1024 * 1024, ge=1, description="Largest plugin archive accepted.")
    max_body_bytes: int = Field(
        64 * 1024 * 1024, ge=1, le=256 * 1024**2, description="Largest JSON request body accepted."
    )
    max_blob_bytes: int = Field(1024**3, ge=1, description="Largest file accepted as the content of one blob.")
    source_hosts: str = Field(
        "",
        description="Hosts that content of objects is fetched from, separated by commas: `host` and `*.example.com`"
        " (public addresses, ports 80 and 443), `host:port` (that port, private addresses included), `*`, `s3://bucket`.",
    )
    rate_limit_per_minute: int = Field(0, ge=0, description="Requests one API key may send a minute; 0 is no limit.")
    rate_limit_burst: int = Field(0, ge=0, description="Requests a rested key may send at once; 0 is a minute's worth.")
    max_plugins_per_namespace: int = Field(0, ge=0, description="Plugins one namespace may hold; 0 is no limit.")
    max_archive_bytes_per_namespace: int = Field(
        0, ge=0, description="Bytes of plugin archives one namespace may hold; 0 is no limit."
    )
    max_model_bytes: int = Field(
        5 * 1024**3, ge=1, description="Largest model archive accepted, and the most bytes one hub model may have."
    )
    max_models_per_namespace: int = Field(0, ge=0, description="Models one namespace may hold; 0 is no limit.")
    hub_url: str = Field("https://huggingface.co", description="Where models named `org/name` are fetched from.")
    hub_token: SecretStr | None = Field(None, description="Token sent to the hub, for models that are not public.")
    hub_offline: bool = Field(False, description="Never ask the hub; only what `mixpeek model pull` stored is used.")
    model_days: float = Field(30.0, gt=0, description="How long a fetched model is kept without being used.")
    replica_idle_s: float = Field(300.0, gt=0, description="How long a host started on demand is kept without use.")
    retention_interval_s: float = Field(3600.0, gt=0, description="How often leftovers are cleared.")
    workflow_days: float = Field(30.0, gt=0, description="How long the engine's records of ended workflows are kept.")
    unpacked_days: float = Field(30.0, gt=0, description="How long an unpacked version is kept without being started.")
    index_url: SecretStr | None = Field(
        None, description="Package index that plugins' `dependencies` come from; pip's own settings if unset."
    )
    wheelhouse: Path | None = Field(
        None, description="Folder of wheels that `dependencies` come from, and from nowhere else: no network is used."
    )
    environment_build_timeout_s: float = Field(300.0, gt=0, description="How long one environment may take to build.")
    max_environment_bytes: int = Field(0, ge=0, description="Largest environment of one plugin; 0 is no limit.")
    environment_days: float = Field(30.0, gt=0, description="How long an unused environment is kept.")
    rules: str = Field("", description="Severities of rules, as in `security.threading=off,security.pickle=error`.")
    metrics: Literal["key", "open", "off"] = Field(
        "key", description="Who may read `GET /metrics`: `key` admin keys, `open` whoever reaches it, `off` nobody."
    )
    webhook_allow: str = Field(
        "",
        description="Addresses that webhooks may be sent to although they are not public, as in MIXPEEK_EGRESS_ALLOW.",
    )
    webhook_retry_s: float = Field(
        5.0, gt=0, description="Pause before a webhook's second attempt; it doubles, up to an hour."
    )
    webhook_retry_hours: float = Field(24.0, gt=0, description="How long a webhook's delivery is tried.")
    webhook_disable_hours: float = Field(
        72.0, gt=0, description="A webhook's endpoint that failed for so long, without one success, is disabled."
    )
    webhook_at_once: int = Field(4, ge=1, le=64, description="Deliveries one webhook's endpoint is sent at once.")
    webhook_days: float = Field(14.0, gt=0, description="How long events and their deliveries are kept.")
    log_days: float = Field(14.0, gt=0, description="How long what plugins print and log is kept.")
    log_bytes_per_plugin: int = Field(
        64 * 1024**2, ge=1, description="About how many bytes of it each plugin version keeps, the newest."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe line logged.")
    log_format: Literal["text", "json"] = Field("text", description="`json` logs one JSON object a line.")
    migrate: Literal["start", "command"] = Field(
        "start",
        description="When the database's schema is brought up to date: at the `start` of a server, or by the `command`"
        " `mixpeek migrate` only, for which a server waits a minute.",
    )

    @field_validator("execution")
    @classmethod
    def _check_execution(cls, value: str) -> str:
        if not _EXECUTION.fullmatch(value):
            raise ValueError("must be local, ray:local, ray:auto, ray:HOST:PORT or ray://HOST:PORT")
        return value

    @property
    def has_own_cluster(self) -> bool:
        """Whether the server starts a Ray cluster of its own."""
        return self.execution == "ray:local"

    @property
    def cluster_address(self) -> str | None:
        """The Ray cluster that runs plugins, as Ray takes it; None where there is none, or its own says where it is."""
        if self.execution == "local" or self.has_own_cluster:
            return None
        return self.execution if self.execution.startswith("ray://") else self.execution.removeprefix("ray:")

    @property
    def cluster_file(self) -> Path:
        """Where the cluster of the server's own says how it is reached."""
        return self.data_dir / "ray" / "address"

    @property
    def objects_dir(self) -> Path:
        return self.data_dir / "objects"

    @property
    def models_dir(self) -> Path:
        """Models that hosts read, one directory per content hash; a cache that is filled again when needed."""
        return self.data_dir / "models"

    @property
    def environments_dir(self) -> Path:
        """Packages that plugins declare, one directory per set; a cache that may be deleted."""
        return self.data_dir / "environments"

    @property
    def unpacked_dir(self) -> Path:
        """Unpacked plugin versions, one directory per content hash; a cache that may be deleted."""
        return self.data_dir / "unpacked"


def unknown_variables(environ: dict[str, str]) -> list[str]:
    """Return one warning per `MIXPEEK_*` variable that nothing here reads, each with the nearest known name."""
    known = {f"MIXPEEK_{name.upper()}" for name in Settings.model_fields} | CLIENT_VARIABLES
    warnings = []
    for name in sorted(environ):
        if name.startswith("MIXPEEK_") and name not in known and not name.startswith(CLIENT_PREFIX):
            near = difflib.get_close_matches(name, known, n=1)
            suggestion = f"; did you mean {near[0]}?" if near else "; `mixpeek config` lists the known ones"
            warnings.append(f"{name} is not a setting and is ignored{suggestion}")
    return warnings
