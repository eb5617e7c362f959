"""Where packages come from: the platform's settings, else pip's own, which uv does not read.

pip's files and variables are read where its documentation says they are; pip itself need not be installed.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mixpeek.errors import EnvironmentUnavailable

_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")
# The usual variables that any client of the network obeys.
_INHERITED = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT")


@dataclass(frozen=True)
class Sources:
    """Indexes and folders of packages, and how to reach them; an index may hold credentials, so none is printed.

    `index_url` None is the public index. As with pip, the best version of all indexes is taken; whoever wants a name
    to come from one index only names just that one.
    """

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    trusted_hosts: tuple[str, ...] = ()
    network: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Sources(no_index={self.no_index})"

    def arguments(self) -> list[str]:
        """Return the options that say this to uv; what may hold credentials goes into `variables`."""
        line = ["--no-index"] if self.no_index else ["--index-strategy", "unsafe-best-match"]
        line += [word for place in self.find_links if not _is_url(place) for word in ("--find-links", place)]
        return line + [word for host in self.trusted_hosts for word in ("--allow-insecure-host", host)]

    def variables(self) -> dict[str, str]:
        """Return the variables that say this to uv; unlike its options, other users cannot read them."""
        found = dict(self.network)
        if self.index_url is not None and not self.no_index:
            found["UV_DEFAULT_INDEX"] = self.index_url
        if self.extra_index_urls and not self.no_index:
            found["UV_INDEX"] = " ".join(self.extra_index_urls)
        remote = [place for place in self.find_links if _is_url(place)]
        return {**found, "UV_FIND_LINKS": ",".join(remote)} if remote else found


def redact(text: str) -> str:
    """Return the text without the credentials of any address in it."""
    return _USER_INFO.sub("***@", text)


def sources_from_settings(
    index_url: str | None, wheelhouse: Path | None, environ: Mapping[str, str], prefix: Path = Path(sys.prefix)
) -> Sources:
    """Return what the platform's settings say; where they say nothing, what pip's do.

    Args:
        wheelhouse: a folder of wheels to take packages from, and from nowhere else.
    Raises: EnvironmentUnavailable: the wheelhouse is not there, or pip's settings cannot be read.
    """
    if wheelhouse is not None:
        folder = wheelhouse.expanduser().resolve()
        if not folder.is_dir():
            raise EnvironmentUnavailable(
                f"The wheelhouse {folder} is not a folder", hint="Correct MIXPEEK_WHEELHOUSE, or make the folder"
            )
        return Sources(find_links=(str(folder),), no_index=True, network=(("UV_OFFLINE", "1"),))
    pip = _pip_options(environ, prefix)
    network = _network(pip, environ)
    trusted = tuple(pip.get("trusted-host", "").split())
    if index_url is not None:
        return Sources(index_url=index_url, trusted_hosts=trusted, network=network)
    return Sources(
        index_url=pip.get("index-url"),
        extra_index_urls=tuple(pip.get("extra-index-url", "").split()),
        find_links=tuple(place for place in pip.get("find-links", "").split() if _is_there(place)),
        no_index=pip.get("no-index", "").lower() in _TRUE,
        trusted_hosts=trusted,
        network=network,
    )


def _network(pip: Mapping[str, str], environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    found = {
        name: value for name in _INHERITED if (value := environ.get(name) or environ.get(name.lower())) is not None
    }
    bundle = pip.get("cert") or environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE")
    if bundle:
        found["SSL_CERT_DIR" if Path(bundle).is_dir() else "SSL_CERT_FILE"] = bundle
    if "client-cert" in pip:
        found["SSL_CLIENT_CERT"] = pip["client-cert"]
    if "proxy" in pip:
        found["HTTP_PROXY"] = found["HTTPS_PROXY"] = pip["proxy"]
    timeout = pip.get("timeout") or pip.get("default-timeout")
    if timeout:
        found["UV_HTTP_TIMEOUT"] = timeout
    # As pip does, trust what the machine trusts.
    return tuple({"UV_SYSTEM_CERTS": "1", **found}.items())


def _pip_options(environ: Mapping[str, str], prefix: Path) -> dict[str, str]:
    """Return pip's options for `install`, each from the most particular place that sets it."""
    general: dict[str, str] = {}
    install: dict[str, str] = {}
    for path in _pip_files(environ, prefix):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise EnvironmentUnavailable(
                f"pip's settings in {path} cannot be read: {redact(str(error))}", hint="Correct or remove that file"
            ) from error
        for section, into in (("global", general), ("install", install)):
            if parser.has_section(section):
                into.update({_option(name): value for name, value in parser.items(section)})
    given = {_option(name[4:]): value for name, value in environ.items() if name.startswith("PIP_") and value}
    return {**general, **install, **given}


def _pip_files(environ: Mapping[str, str], prefix: Path) -> list[Path]:
    """Return pip's files, the most general first."""
    chosen = environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        system = [Path("/Library/Application Support/pip")]
        user = home / "Library/Application Support/pip"
        own = user if user.is_dir() else home / ".config/pip"
    else:
        shared = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
        system = [*(Path(folder) / "pip" for folder in shared), Path("/etc")]
        own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip"
    files = [folder / "pip.conf" for folder in (*system, home / ".pip", own, prefix)]
    return [*files, Path(chosen)] if chosen else files


def _option(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _is_url(place: str) -> bool:
    return "://" in place


def _is_there(place: str) -> bool:
    # pip passes over a folder that is not there, uv refuses to run.
    return _is_url(place) or Path(place).expanduser().exists()
