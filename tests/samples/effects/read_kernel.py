# expect: answer []
"""Reads what /proc says of the kernel and its keys."""


def act(where):
    found = []
    for name in ("kcore", "keys", "kallsyms", "kmsg", "timer_list"):
        try:
            with open(f"/proc/{name}", "rb") as file:
                found.append([name, file.read(10).hex()])
        except OSError:
            continue
    return found
