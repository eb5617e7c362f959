"""The pure parts of environments: where packages come from, locks, and what the resolver's words come to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mixpeek.errors import DependenciesRefused, EnvironmentUnavailable
from mixpeek.execution.environments.contents import check_contents, imported_at_start
from mixpeek.execution.environments.installed import FIXED, Packages, base_requirements, host_path, plain, reach
from mixpeek.execution.environments.lock import Lock, Package, key_of
from mixpeek.execution.environments.resolver import failure_from
from mixpeek.execution.environments.sources import Sources, redact, sources_from_settings

HIDDEN = "http://someone:hunter2@packages.example/simple"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with pip settings in it."""
    settings = tmp_path / "home" / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        f"[global]\nindex-url = {HIDDEN}\nextra-index-url =\n  http://one.example/simple\n  http://two.example/simple\n"
        "timeout = 7\nfind-links = /not/there /tmp\n[install]\ntrusted-host = packages.example\n"
    )
    return tmp_path / "home"


def read(home: Path, *, index_url: str | None = None, **environ: str) -> Sources:
    # An empty folder stands in for the system's own settings and those of this environment.
    variables = {"HOME": str(home), "XDG_CONFIG_DIRS": str(home), **environ}
    return sources_from_settings(index_url, None, variables, prefix=home)


def test_pips_settings_are_handed_to_uv(home: Path) -> None:
    sources = read(home)

    variables = sources.variables()
    assert variables["UV_DEFAULT_INDEX"] == HIDDEN
    assert variables["UV_INDEX"] == "http://one.example/simple http://two.example/simple"
    assert variables["UV_HTTP_TIMEOUT"] == "7"
    assert sources.arguments() == [
        *("--index-strategy", "unsafe-best-match"),
        *("--find-links", "/tmp"),
        *("--allow-insecure-host", "packages.example"),
    ]


def test_pips_variables_win_over_its_files(home: Path) -> None:
    sources = read(home, PIP_INDEX_URL="http://other.example/simple", PIP_NO_INDEX="0", PIP_EXTRA_INDEX_URL="")

    assert sources.variables()["UV_DEFAULT_INDEX"] == "http://other.example/simple"
    assert "--no-index" not in sources.arguments()


def test_no_index_leaves_out_every_index(home: Path) -> None:
    sources = read(home, PIP_NO_INDEX="1")

    assert "--no-index" in sources.arguments()
    assert not {"UV_DEFAULT_INDEX", "UV_INDEX"} & set(sources.variables())


def test_pip_can_be_told_to_read_no_file(home: Path) -> None:
    assert "UV_DEFAULT_INDEX" not in read(home, PIP_CONFIG_FILE=os.devnull).variables()


def test_the_platforms_own_index_replaces_those_of_pip_and_keeps_how_to_reach_them(home: Path) -> None:
    sources = read(home, index_url="http://own.example/simple", PIP_CERT="/etc/own.pem", PIP_PROXY="http://proxy:3128")

    variables = sources.variables()
    assert variables["UV_DEFAULT_INDEX"] == "http://own.example/simple"
    assert "UV_INDEX" not in variables and "--find-links" not in sources.arguments()
    assert (variables["SSL_CERT_FILE"], variables["HTTPS_PROXY"]) == ("/etc/own.pem", "http://proxy:3128")


def test_a_wheelhouse_uses_no_network(home: Path) -> None:
    sources = sources_from_settings(HIDDEN, home, {"PIP_INDEX_URL": HIDDEN})

    assert sources.arguments() == ["--no-index", "--find-links", str(home)]
    assert sources.variables() == {"UV_OFFLINE": "1"}


def test_settings_of_pip_that_cannot_be_read_are_named(home: Path) -> None:
    (home / ".config/pip/pip.conf").write_text("index-url = nothing above this line\n")

    with pytest.raises(EnvironmentUnavailable, match=r"pip\.conf cannot be read"):
        read(home)


def test_credentials_are_shown_nowhere(home: Path) -> None:
    assert "hunter2" not in repr(read(home))
    assert redact(f"no answer from {HIDDEN}/x and {HIDDEN}") == (
        "no answer from http://***@packages.example/simple/x and http://***@packages.example/simple"
    )


def test_an_index_that_cannot_be_reached_is_not_the_plugins_fault() -> None:
    printed = (
        "Using Python 3.11.7 environment at: /somewhere\n"
        f"error: Request failed after 3 retries in 8.0s\n  cause: Failed to fetch: {HIDDEN}/wordlib/\n"
        "  cause: Connection refused (os error 111)\n"
    )

    failure = failure_from(printed, (), ())

    assert isinstance(failure, EnvironmentUnavailable)
    assert "Connection refused" in failure.message
    assert "hunter2" not in failure.message and "/somewhere" not in failure.message


def test_a_package_without_wheels_in_any_version_is_named() -> None:
    failure = failure_from("error: No\n cause: Because all versions of docopt have no usable wheels and more", (), ())

    assert "docopt comes as source only" in failure.message


def test_what_the_resolver_says_is_made_safe_to_print_and_kept_short() -> None:
    failure = failure_from("error: No\n  cause: \x1b[31mred\x07 " + "x" * 10_000, (), ())

    assert isinstance(failure, DependenciesRefused)
    assert "\x1b" not in failure.message and "\x07" not in failure.message
    assert len(failure.message) < 2_000


def test_a_requirement_loses_what_uv_could_misread() -> None:
    assert plain(Requirement('Some.Name[b,a]>=1,<2; python_version < "4"')) == "Some.Name[a,b]<2,>=1"


def test_requirements_are_followed_with_their_extras() -> None:
    bare = reach([Requirement("httpx")], Packages())
    extra = reach([Requirement("psycopg[binary]")], Packages())
    missing = reach([Requirement("numpy<1"), Requirement("no-such-thing")], Packages())

    assert "httpcore" in bare.versions and "h2" not in bare.versions
    assert "psycopg-binary" in extra.versions
    assert len(missing.faults) == 2


def test_packages_that_only_the_server_process_sees_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "elsewhere-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert Packages().find("elsewhere") is None
    assert Packages(tmp_path).version("elsewhere") == "1.0"


def test_the_hosts_own_requirements_are_satisfied_here() -> None:
    names = {requirement.name for requirement in base_requirements()}

    assert {"numpy", "pandas", "pyarrow", "pydantic"} <= names
    assert reach(base_requirements(), Packages()).faults == ()


def test_a_lock_survives_being_recorded() -> None:
    lock = Lock.of([Package("b", "2", ("ab",)), Package("a", "1", provided=True)])

    assert Lock.from_wire(lock.wire()) == lock
    assert [package.name for package in lock.packages] == ["a", "b"]


def test_only_what_the_server_has_not_is_laid_over_it() -> None:
    lock = Lock.of([Package("a", "1"), Package("b", "2"), Package("c", "3")])

    overlay = lock.overlay({"a": "1", "b": "1"}.get)

    assert [package.name for package in overlay] == ["b", "c"]
    assert key_of(overlay) == key_of(tuple(reversed(overlay))) != key_of(lock.packages)


def test_a_host_imports_no_package_that_could_be_laid_over_before_it_is_closed() -> None:
    code = (
        "import sys; before = set(sys.modules); import mixpeek.host.__main__, mixpeek.host.server;"
        " mixpeek.host.tighten._import_seccomp();"
        " print(*{name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) == set(FIXED)


def test_what_python_imports_by_itself_at_its_start_is_not_taken_from_a_package(tmp_path: Path) -> None:
    for name in imported_at_start() | {"json", "harmless"}:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()

    removed = check_contents(tmp_path)

    assert set(removed) == imported_at_start() | {"json"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["harmless"]
    has_setuptools = any(Path(folder, "distutils-precedence.pth").exists() for folder in host_path())
    assert ("_distutils_hack" in imported_at_start()) == has_setuptools
