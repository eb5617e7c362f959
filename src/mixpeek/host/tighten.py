"""What a host gives up before it imports any plugin code: memory, files, new processes, sockets, kernel surface.

The outer walls (namespaces, mounts, user id) are built by `execution.sandbox`; this is the inner one.
"""

from __future__ import annotations

import ctypes
import errno
import resource
import socket
import sys
from dataclasses import dataclass
from typing import Any

_PR_SET_NO_NEW_PRIVS = 38
_CLONE_THREAD = 0x00010000
_MAP_SHARED_ANONYMOUS = 0x21
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_DENIED = (
    *("execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"),
    *("mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "move_mount", "open_tree", "fsopen", "fsmount"),
    *("fsconfig", "fspick", "mount_setattr", "bpf", "perf_event_open", "userfaultfd", "kcmp"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key", "request_key"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff"),
    *("open_by_handle_at", "name_to_handle_at", "quotactl", "acct", "syslog", "lookup_dcookie", "nfsservctl"),
    *("personality", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "sethostname", "setdomainname"),
    *("iopl", "ioperm", "modify_ldt", "vhangup", "memfd_secret", "landlock_create_ruleset"),
    # Memory that RLIMIT_DATA does not count.
    *("memfd_create", "shmget"),
)


@dataclass(frozen=True)
class Limits:
    """What a host may use; `tasks` caps threads of the whole user id, so it is set only for a dropped one."""

    memory_bytes: int
    file_bytes: int
    open_files: int = 512
    tasks: int | None = None
    network: bool = False


def tighten(limits: Limits) -> None:
    """Apply the limits to this process for good; raise OSError or RuntimeError if the kernel refuses."""
    # RLIMIT_DATA, not RLIMIT_AS: numpy and onnxruntime reserve far more address space than they use.
    _limit(resource.RLIMIT_DATA, limits.memory_bytes)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    if limits.tasks is not None:
        _limit(resource.RLIMIT_NPROC, limits.tasks)
    if sys.platform == "linux":
        _give_up_privileges()
        _load_filter(network=limits.network)


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (allowed, allowed))


def _give_up_privileges() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot set no_new_privs")


def _load_filter(*, network: bool) -> None:
    seccomp = _import_seccomp()
    deny = seccomp.ERRNO(errno.EPERM)
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in _DENIED:
        if _is_known(seccomp, name):
            rules.add_rule(deny, name)
    # Threads are clones with CLONE_THREAD; glibc falls back to clone when clone3 is absent.
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    rules.add_rule(deny, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _CLONE_THREAD, 0))
    for request in (_TIOCSTI, _TIOCLINUX):
        rules.add_rule(deny, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, request))
    rules.add_rule(deny, "mmap", seccomp.Arg(3, seccomp.MASKED_EQ, _MAP_SHARED_ANONYMOUS, _MAP_SHARED_ANONYMOUS))
    families = [socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK] if network else [socket.AF_UNIX]
    _allow_only(rules, seccomp, deny, [int(family) for family in families])
    rules.load()


def _allow_only(rules: Any, seccomp: Any, deny: int, families: list[int]) -> None:
    """Deny socket() for every family number but these (a rule holds one comparison per argument)."""
    rules.add_rule(deny, "socket", seccomp.Arg(0, seccomp.GT, max(families)))
    for family in range(max(families)):
        if family not in families:
            rules.add_rule(deny, "socket", seccomp.Arg(0, seccomp.EQ, family))


def _is_known(seccomp: Any, name: str) -> bool:
    """Whether this libseccomp and this processor have the call at all."""
    try:
        return bool(seccomp.resolve_syscall(seccomp.Arch.NATIVE, name) >= 0)
    except (OSError, ValueError):
        return False


def _import_seccomp() -> Any:
    # The binding looks its libraries up by running ldconfig and a compiler, 40 ms; both names are fixed.
    import ctypes.util as lookup

    find = lookup.find_library
    names: dict[str, str] = {"seccomp": "libseccomp.so.2"}
    lookup.find_library = names.get  # type: ignore[assignment]
    try:
        import pyseccomp
    finally:
        lookup.find_library = find
    return pyseccomp
