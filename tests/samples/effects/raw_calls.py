# expect: answer []
"""Asks the kernel itself for what no plugin needs; numbers are those of x86-64."""

from ..reach import module


CALLS = {
    **{"shmget": 29, "fork": 57, "vfork": 58, "execve": 59, "semget": 64, "msgget": 68, "ptrace": 101},
    **{"personality": 135, "pivot_root": 155, "chroot": 161, "mount": 165, "swapon": 167, "reboot": 169},
    **{"init_module": 175, "io_setup": 425, "add_key": 248, "request_key": 249, "keyctl": 250},
    **{"unshare": 272, "splice": 275, "vmsplice": 278, "perf_event_open": 298, "open_by_handle_at": 304},
    **{"setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313},
    **{"memfd_create": 319, "kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323},
    **{"pidfd_send_signal": 424, "io_uring_enter": 426, "open_tree": 428, "move_mount": 429, "fsopen": 430},
    **{"pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442},
    **{"landlock_create_ruleset": 444, "memfd_secret": 447, "listmount": 458, "not_invented_yet": 550},
}


def act(where):
    ctypes, errno = module("ctypes"), module("errno")
    if module("platform").machine() != "x86_64":
        return []
    kernel = ctypes.CDLL(None, use_errno=True).syscall
    answered = []
    for name, number in CALLS.items():
        ctypes.set_errno(0)
        kernel(number, 0, 0, 0, 0, 0, 0)
        if ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
            answered.append([name, ctypes.get_errno()])
    return answered
