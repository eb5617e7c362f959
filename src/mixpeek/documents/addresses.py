"""How `MIXPEEK_DOCUMENTS_URL` is read. Light to import, as the supervisor checks it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from mixpeek.errors import SettingInvalid

_SCHEMES = {"qdrant": False, "qdrants": True}
_PORT = 6333


@dataclass(frozen=True)
class QdrantAddress:
    """A cluster: where it is, and how what is made there is divided."""

    host: str
    port: int
    is_tls: bool
    shards: int | None = None
    replicas: int | None = None

    @classmethod
    def from_url(cls, url: str) -> QdrantAddress:
        """Raises: SettingInvalid."""
        try:
            parts = urlsplit(url)
            options = {name: int(value) for name, value in parse_qsl(parts.query)}
            is_known = parts.scheme in _SCHEMES and set(options) <= {"shards", "replicas"}
            if not is_known or not parts.hostname or parts.path.strip("/"):
                raise ValueError(f"{url!r} names no Qdrant cluster")  # noqa: TRY301 - told as those of `int` and `port`
            return cls(parts.hostname, parts.port or _PORT, _SCHEMES[parts.scheme], **options)
        except ValueError as error:
            raise SettingInvalid(
                f"MIXPEEK_DOCUMENTS_URL cannot be read: {error}",
                hint="Give it as qdrant://host:6333, or qdrants:// with TLS, perhaps with ?shards=6&replicas=2",
            ) from error
