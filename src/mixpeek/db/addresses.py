"""A database's address as other libraries want it: libpq knows forms, such as several hosts, that they do not."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict


def sqlalchemy_url(url: str) -> str:
    """Return a `postgresql://` URL that SQLAlchemy reads as libpq reads `url`: hosts and ports become parameters."""
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    user, password, database = parts.pop("user", ""), parts.pop("password", None), parts.pop("dbname", "")
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
    return f"postgresql://{login}@/{quote(database, safe='')}" + (f"?{urlencode(parts)}" if parts else "")
