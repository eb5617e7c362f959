"""What runs, as whoever uses it has to know it: each server of a test has a database and a folder of its own there."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from scripts.scaled.objects import S3Server

from mixpeek.db.embedded import USER

VARIABLE = "MIXPEEK_SCALED_PROFILE"


@dataclass(frozen=True)
class Ray:
    """A Ray cluster, what whoever uses it must know, and where its machines keep what they are sent."""

    address: str
    token: str
    cache_dir: str

    def settings(self) -> dict[str, str]:
        """Return the variables by which a server runs plugins there."""
        return {
            "MIXPEEK_EXECUTION": f"ray:{self.address}",
            "MIXPEEK_RAY_CACHE_DIR": self.cache_dir,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
        }


@dataclass(frozen=True)
class Profile:
    """The parts of a platform past one machine that are there; `s3` and `ray` are None where these are not."""

    primary_port: int
    replica_port: int
    s3: S3Server | None
    ray: Ray | None

    @classmethod
    def find(cls) -> Profile | None:
        """Return what the variable names, None where it is not set."""
        path = os.environ.get(VARIABLE)
        if not path:
            return None
        kept = json.loads(Path(path).read_text())
        s3, ray = kept["s3"], kept["ray"]
        return cls(
            kept["primary_port"], kept["replica_port"], S3Server(**s3) if s3 else None, Ray(**ray) if ray else None
        )

    def write(self, path: Path) -> None:
        path.touch(mode=0o600)  # it has the cluster's token
        path.write_text(json.dumps(asdict(self)))

    def describe(self) -> str:
        parts = [f"PostgreSQL on port {self.primary_port}", f"its replica on {self.replica_port}"]
        parts += [f"S3 at {self.s3.endpoint}"] if self.s3 else []
        return ", ".join(parts + ([f"Ray at {self.ray.address}"] if self.ray else []))

    def settings(self) -> dict[str, str]:
        """Return the variables of a server that begins with an empty database and no objects."""
        name = f"server_{secrets.token_hex(6)}"
        with psycopg.connect(self._url("postgres", self.primary_port), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        both = f"127.0.0.1:{self.primary_port},127.0.0.1:{self.replica_port}"
        return {
            "MIXPEEK_DATABASE_URL": f"postgresql://{USER}@{both}/{name}?target_session_attrs=read-write",
            "MIXPEEK_DATABASE_REPLICA_URLS": self._url(name, self.replica_port),
            **(self.s3.settings(name) if self.s3 else {}),
            **(self.ray.settings() if self.ray else {}),
        }

    @staticmethod
    def _url(database: str, port: int) -> str:
        return f"postgresql://{USER}@127.0.0.1:{port}/{database}"
