"""The walls around a host: the bubblewrap command line, and whether this machine can build them.

As root, bwrap runs without a user namespace and setpriv drops to an unprivileged uid inside; bwrap resolves its
sources by their real paths, which that uid could not do under a closed home. Otherwise a user namespace does both.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

from mixpeek.errors import SandboxUnavailable
from mixpeek.execution import gpu
from mixpeek.execution.port import HostSpec
from mixpeek.host.egress import PROXY_ADDRESS
from mixpeek.lifeline import Lifeline

MODE_VARIABLE = "MIXPEEK_SANDBOX"
DEFAULT_UID = 65534
PLUGIN_ROOT = PurePosixPath("/plugin")
MODELS_ROOT = PurePosixPath("/models")
REPAIR = "apt-get install -y bubblewrap libseccomp2"

# Threads of all hosts of one uid together; bwrap's own processes run as another user.
_TASKS = 1024
_HOST_VARIABLE = "MIXPEEK_HOST_FD"
_MODELS_VARIABLE = "MIXPEEK_MODELS"
_SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# What /proc tells of the machine and its kernel, not of the host; a device bound here cannot even be opened.
_HIDDEN_FILES = tuple(
    f"/proc/{name}"
    for name in (
        *("kcore", "keys", "key-users", "kallsyms", "kmsg", "kpagecount", "modules", "sched_debug", "timer_list"),
        # bwrap's own process: of the same user where the server is not root, and its command line names our folders.
        *(f"1/{thread}{name}" for thread in ("", "task/1/") for name in ("environ", "cmdline", "mem", "maps", "smaps")),
    )
)
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime")
_CERTIFICATE_FOLDERS = ("/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted")
_CERTIFICATE_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


@dataclass(frozen=True)
class SandboxStatus:
    """Whether hosts are isolated here, and why not."""

    mode: Literal["bubblewrap", "off", "unavailable"]
    detail: str


def probe() -> SandboxStatus:
    """Try the sandbox once per process and say how hosts will be run; `MIXPEEK_SANDBOX=off` turns it off."""
    if os.environ.get(MODE_VARIABLE, "").lower() == "off":
        return SandboxStatus("off", f"{MODE_VARIABLE}=off: plugin code runs with the rights of this program")
    return _probe_bubblewrap()


def require() -> SandboxStatus:
    """Return the status if hosts can be run; raise SandboxUnavailable with the command that repairs it."""
    status = probe()
    if status.mode == "unavailable":
        raise SandboxUnavailable(
            f"Plugins cannot be isolated on this machine: {status.detail}",
            hint=f"Run `{REPAIR}` and start again; {MODE_VARIABLE}=off runs plugins without isolation",
        )
    return status


def warning(status: SandboxStatus) -> str | None:
    """Return what an operator must be told at every start, None where hosts are isolated."""
    if status.mode == "off":
        return f"{MODE_VARIABLE}=off: plugins run WITHOUT isolation, as this user"
    if status.mode == "unavailable":
        return (
            f"plugins are NOT run, as they cannot be isolated: {status.detail}; run `{REPAIR}` and start again, "
            f"or set {MODE_VARIABLE}=off to run them without isolation"
        )
    return None


@lru_cache(maxsize=1)
def _probe_bubblewrap() -> SandboxStatus:
    missing = _missing_part()
    if missing is not None:
        return SandboxStatus("unavailable", missing)
    with contextlib.closing(Lifeline()) as lifeline:
        trial = [*_walls(scratch_bytes=1024**2), *lifeline.options(), *_drop(DEFAULT_UID), "/usr/bin/env"]
        try:
            with subprocess.Popen(
                trial,
                env={},
                pass_fds=lifeline.descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            ) as process:
                lifeline.tie(process.pid)
                _, told = process.communicate(timeout=10)
        except (OSError, subprocess.TimeoutExpired) as error:
            return SandboxStatus("unavailable", f"bubblewrap did not start: {error}")
    if process.returncode != 0:
        return SandboxStatus("unavailable", f"bubblewrap failed: {told.strip()[:300]}")
    return SandboxStatus("bubblewrap", "namespaces, read-only mounts, seccomp, rlimits")


def _missing_part() -> str | None:
    if sys.platform != "linux":
        return f"bubblewrap needs Linux, this is {sys.platform}"
    if shutil.which("bwrap") is None:
        return "bubblewrap (bwrap) is not installed"
    for tool in ("setpriv", "unshare") if _is_root() else ():
        if shutil.which(tool) is None:
            return f"{tool} (util-linux) is not installed"
    if importlib.util.find_spec("pyseccomp") is None:
        return "the Python package pyseccomp is not installed"
    return None


def command(
    spec: HostSpec,
    *,
    mode: Literal["bubblewrap", "off"],
    fd: int,
    egress_fd: int | None = None,
    asking_fd: int | None = None,
    lifeline: Lifeline | None = None,
) -> list[str]:
    """Return the command line of a host, to be started in a session of its own.

    Args:
        fd: its end of the socket.
        egress_fd: where it hands its way out over; None leaves it without one.
        asking_fd: its end of the socket on which it asks; None leaves it nobody to ask.
        lifeline: what a sandbox hangs on: it waits for `grants` there, which the line then lacks.
    """
    asking = [] if asking_fd is None else ["--asking", str(asking_fd)]
    if mode == "off":
        return [str(spec.python), "-P", *_program(spec, spec.plugin_dir, tasks=None), *asking]
    plugin = PurePosixPath(PLUGIN_ROOT) / spec.name
    uid = DEFAULT_UID if spec.uid is None else spec.uid
    line = _walls(scratch_bytes=spec.scratch_bytes, extra=_extra_mounts(spec))
    line += _mounts(readable_paths(spec.python, spec.extra_paths), plugin, _model_folders(spec))
    if lifeline is None:
        line += grants(spec)
    else:
        line += lifeline.options()
    line += ["--remount-ro", "/", "--clearenv"]
    variables = environment(spec, fd=fd, walled=True) | (proxy_variables() if egress_fd is not None else {})
    for name, value in variables.items():
        line += ["--setenv", name, value]
    line += _drop(uid)
    line += [str(spec.python), "-P"]
    line += _program(spec, Path(plugin), tasks=_TASKS if _is_root() else None)
    line += asking
    return line if egress_fd is None else [*line, "--egress", str(egress_fd)]


def grants(spec: HostSpec) -> list[str]:
    """Return the part of the command line that a sandbox is told last: the plugin, without which a host ends."""
    return ["--ro-bind", str(spec.plugin_dir.resolve()), str(PLUGIN_ROOT / spec.name)]


def environment(spec: HostSpec, *, fd: int, walled: bool = False) -> dict[str, str]:
    """Return the whole environment of a host; nothing of the server's own is passed on.

    A `walled` host finds its models where `command` binds them, another one where they lie.
    """
    root = _source_root()
    # Installed beside the interpreter we are found anyway, and naming site-packages would put it before the library.
    own = () if root.is_relative_to(spec.python.parent.parent) else (root,)
    variables = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108 - the sandbox's own private /tmp
        "TMPDIR": "/tmp",  # noqa: S108
        "USER": "plugin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(str(path) for path in (*own, *spec.extra_paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        # One thread per host and few malloc arenas: replicas, not threads, use the cores.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }
    variables |= gpu.environment(os.environ, allowed=spec.gpu)
    if spec.models:
        places = {
            model.key: {"path": str(_bound(model.path) if walled else model.path), "format": model.format}
            for model in spec.models
        }
        variables[_MODELS_VARIABLE] = json.dumps(places)
    return {**variables, _HOST_VARIABLE: str(fd)}


def proxy_variables() -> dict[str, str]:
    """Return what sends HTTP libraries to the proxy; the names in both cases, as each library reads one of them."""
    host, port = PROXY_ADDRESS
    address = f"http://{host}:{port}"
    named = {"HTTP_PROXY": address, "HTTPS_PROXY": address, "ALL_PROXY": address, "NO_PROXY": ""}
    found = next((bundle for bundle in _CERTIFICATE_BUNDLES if Path(bundle).is_file()), None)
    # The machine's own bundle, where an operator adds an authority of the house; else each library's own.
    bundles = {} if found is None else {"SSL_CERT_FILE": found, "REQUESTS_CA_BUNDLE": found}
    return {**named, **{name.lower(): value for name, value in named.items()}, **bundles}


def readable_paths(python: Path, extra: Iterable[Path] = ()) -> list[Path]:
    """Return the folders a host must be able to read: interpreter, environment, our packages, extra ones."""
    prefix = python.parent.parent
    base = Path(os.path.realpath(python)).parent.parent
    wanted = [base, prefix, *_own_packages(), *extra]
    kept: list[Path] = []
    for path in wanted:
        inside = any(path.is_relative_to(other) for other in (Path("/usr"), *kept))
        if not inside and path != Path("/"):
            kept.append(path)
    return kept


def find_closed(plugin_dir: Path) -> Path | None:
    """Return a path of the plugin that the uid we drop to could not read, None if there is none."""
    if not _is_root():
        return None
    for path in (plugin_dir, *plugin_dir.rglob("*")):
        needed = 0o005 if path.is_dir() else 0o004
        if path.lstat().st_mode & needed != needed:
            return path
    return None


def _own_packages() -> list[Path]:
    root = _source_root()
    return [root / name for name in ("mixpeek", "engine", "shared")]


def _source_root() -> Path:
    return Path(__file__).resolve().parents[2]


def _is_root() -> bool:
    return os.geteuid() == 0


def _extra_mounts(spec: HostSpec) -> list[str]:
    """What only some hosts see: the devices of a GPU, the certificates of authorities."""
    line: list[str] = []
    for device in gpu.find_devices() if spec.gpu else ():
        line += ["--dev-bind", str(device), str(device)]
    for folder in _CERTIFICATE_FOLDERS if spec.network else ():
        if Path(folder).is_dir():
            for parent in list(_parents(PurePosixPath(folder)))[2:]:  # below /etc, closed to our uid as in `_mounts`
                line += ["--perms", "0755", "--dir", str(parent)]
            line += ["--ro-bind", folder, folder]
    return line


def _walls(*, scratch_bytes: int, extra: Iterable[str] = ()) -> list[str]:
    line = ["bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    if _is_root():
        # As the first of a namespace of its own, bwrap takes with it whatever it began, at any moment it is killed.
        line = ["unshare", "--pid", "--fork", "--kill-child", "--", *line]
    else:
        line += ["--unshare-user", "--disable-userns"]
    line += ["--unshare-net", "--die-with-parent", "--hostname", "plugin", "--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM_LINKS:
        path = Path("/") / name
        if path.is_symlink():
            line += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            line += ["--ro-bind", str(path), str(path)]
    line += ["--perms", "0755", "--dir", "/etc"]
    for file in _SYSTEM_FILES:
        if Path(file).exists():
            line += ["--ro-bind", file, file]
    line += ["--proc", "/proc", "--dev", "/dev"]
    for file in _HIDDEN_FILES:
        if Path(file).exists():
            line += ["--ro-bind", "/dev/null", file]
    line += ["--remount-ro", "/proc"]
    for scratch in ("/dev/shm", "/tmp"):  # noqa: S108
        line += ["--perms", "1777", "--size", str(scratch_bytes), "--tmpfs", scratch]
    # A shared mapping of /dev/zero is memory that no limit of ours would count; /dev/null cannot be mapped.
    line += ["--dev-bind", "/dev/null", "/dev/zero"]
    return [*line, *extra, "--remount-ro", "/dev", "--chdir", "/tmp"]  # noqa: S108


def _bound(folder: Path) -> PurePosixPath:
    """Return where a host sees a model's folder; its name is its content's hash, so equal names are equal folders."""
    return MODELS_ROOT / folder.name


def _model_folders(spec: HostSpec) -> list[Path]:
    return list(dict.fromkeys(model.path for model in spec.models))


def _mounts(paths: list[Path], plugin: PurePosixPath, models: Iterable[Path] = ()) -> list[str]:
    """Bind what a host reads, and make the folder that the plugin is bound to."""
    line: list[str] = []
    made: set[PurePosixPath] = {PurePosixPath(part) for part in ("/", "/usr", "/tmp", "/etc")}  # noqa: S108
    pairs: list[tuple[Path | None, PurePosixPath]] = [(path, PurePosixPath(path)) for path in paths]
    pairs += [(folder.resolve(), _bound(folder)) for folder in models] + [(None, plugin)]
    for source, target in pairs:
        for parent in _parents(target):
            if parent not in made and not any(parent.is_relative_to(bound) for bound in paths):
                # bwrap would create it with mode 0700, closed to the uid we drop to.
                line += ["--perms", "0755", "--dir", str(parent)]
                made.add(parent)
        if source is not None:
            line += ["--ro-bind", str(source), str(target)]
    return line


def _parents(path: PurePosixPath) -> Iterator[PurePosixPath]:
    return reversed(path.parents)


def _drop(uid: int) -> list[str]:
    """The part that gives up rights; without root the user namespace holds none that matter outside."""
    if not _is_root():
        return ["--cap-drop", "ALL", "--"]
    needed = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
    kept = [word for capability in needed for word in ("--cap-add", capability)]
    identity = ["--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    rights = ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"]
    return ["--cap-drop", "ALL", *kept, "setpriv", *identity, *rights]


def _program(spec: HostSpec, plugin: Path, *, tasks: int | None) -> list[str]:
    line = ["-m", "mixpeek.host", "--plugin", str(plugin), "--name", spec.name]
    line += ["--memory", str(spec.memory_bytes), "--file-bytes", str(spec.scratch_bytes)]
    if tasks is not None:
        line += ["--tasks", str(tasks)]
    if spec.network:
        line.append("--network")
    if spec.background:
        line.append("--nice")
    return line
