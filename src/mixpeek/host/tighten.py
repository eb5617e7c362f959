"""What a host gives up before it imports any plugin code: memory, files, new processes, sockets, kernel surface.

The outer walls (namespaces, mounts, user id) are built by `execution.sandbox`; this is the inner one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import socket
import sys
from dataclasses import dataclass
from typing import Any

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_DUMPABLE = 4  # a process that is not dumpable hides what it uses from a server that is not root
_CLONE_THREAD = 0x00010000
_MAP_SHARED_ANONYMOUS = 0x21
# The least there is, a 68th of an ordinary share: whatever else wants to run, runs at once.
BACKGROUND_NICENESS = 19
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_NEWER_CALLS = range(424, 600)  # one numbering on every processor, begun with 5.1

# What there was before: refused if it reaches other processes, other machines, kernel state, or memory nobody counts.
_DENIED = (
    *("execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev"),
    *("mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "bpf", "perf_event_open", "userfaultfd"),
    *("kcmp", "keyctl", "add_key", "request_key"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff"),
    *("open_by_handle_at", "name_to_handle_at", "quotactl", "acct", "syslog", "lookup_dcookie", "nfsservctl"),
    *("personality", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "sethostname", "setdomainname"),
    *("iopl", "ioperm", "modify_ldt", "vhangup"),
    # Writing out every file system of the machine, again and again, is felt by the database; fsync of one file is not.
    *("sync", "syncfs"),
    # Other processes' memory placement, watching what others open, a filter or a listener of one's own.
    *("migrate_pages", "move_pages", "mbind", "set_mempolicy", "fanotify_init", "fanotify_mark", "seccomp"),
    # Long the way into other programs' pages; Python copies files without them.
    *("vmsplice", "splice", "tee"),
    # Left from older kernels; nothing we run calls them.
    *("uselib", "_sysctl", "sysfs", "ustat", "create_module", "get_kernel_syms", "query_module", "remap_file_pages"),
    # Memory that RLIMIT_DATA does not count; message queues hold the kernel's own.
    *("memfd_create", "shmget", "msgget", "semget", "mq_open"),
)
# Kernels grow calls that nobody here has thought about, so of the newer ones (io_uring, pidfds, the mount calls and
# landlock among them) only these are let through; by number, as an older libseccomp has no name for them.
_ALLOWED_NEWER = {
    **{436: "close_range", 437: "openat2", 439: "faccessat2", 441: "epoll_pwait2", 449: "futex_waitv"},
    **{451: "cachestat", 452: "fchmodat2", 453: "map_shadow_stack", 454: "futex_wake", 455: "futex_wait"},
    **{456: "futex_requeue", 462: "mseal"},
}


@dataclass(frozen=True)
class Limits:
    """What a host may use; `tasks` caps threads of the whole user id, so it is set only for a dropped one."""

    memory_bytes: int
    file_bytes: int
    open_files: int = 512
    tasks: int | None = None
    network: bool = False
    background: bool = False


def close_others(*kept: int | None) -> None:
    """Close every file and socket that was inherited, but for the standard streams and those `kept`.

    Not every event loop closes them when it starts a process, and a server holds sockets that its children inherit.
    """
    following = 3
    for fd in sorted(fd for fd in kept if fd is not None):
        os.closerange(following, fd)
        following = fd + 1
    os.closerange(following, os.sysconf("SC_OPEN_MAX"))


def tighten(limits: Limits) -> None:
    """Apply the limits to this process for good; raise OSError or RuntimeError if the kernel refuses."""
    if limits.background:
        _stand_back()
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


def _stand_back() -> None:
    """Let others run first when the processor is short; what else that takes is done from outside."""
    os.nice(BACKGROUND_NICENESS)


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
    # Calls by another processor's numbers (32 bits, x32) would pass by every rule below.
    rules.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)
    for name in _DENIED:
        if _is_known(seccomp, name):
            rules.add_rule(deny, name)
    _refuse_newer(rules, seccomp)
    # Threads are clones with CLONE_THREAD; glibc falls back to clone, as clone3 is among the newer calls.
    rules.add_rule(deny, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _CLONE_THREAD, 0))
    for request in (_TIOCSTI, _TIOCLINUX):
        rules.add_rule(deny, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, request))
    rules.add_rule(deny, "mmap", seccomp.Arg(3, seccomp.MASKED_EQ, _MAP_SHARED_ANONYMOUS, _MAP_SHARED_ANONYMOUS))
    rules.add_rule(deny, "prctl", seccomp.Arg(0, seccomp.EQ, _PR_SET_DUMPABLE))
    # Its network namespace has a loopback and nothing else, and behind that our proxy (`execution.egress`).
    families = [socket.AF_UNIX, socket.AF_INET, socket.AF_INET6] if network else [socket.AF_UNIX]
    _allow_only(rules, seccomp, deny, [int(family) for family in families])
    rules.load()


def _refuse_newer(rules: Any, seccomp: Any) -> None:
    """Say ENOSYS to every newer call that is not known to be harmless: programs then do as on an older kernel."""
    for number in _NEWER_CALLS:
        if number not in _ALLOWED_NEWER:
            rules.add_rule(seccomp.ERRNO(errno.ENOSYS), number)


def _allow_only(rules: Any, seccomp: Any, deny: int, families: list[int]) -> None:
    """Deny sockets of every family number but these (a rule holds one comparison per argument)."""
    for call in ("socket", "socketpair"):
        rules.add_rule(deny, call, seccomp.Arg(0, seccomp.GT, max(families)))
        for family in range(max(families)):
            if family not in families:
                rules.add_rule(deny, call, seccomp.Arg(0, seccomp.EQ, family))


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
