# expect: answer []
"""Writes everywhere but into its scratch folder."""

from ..reach import module


def act(where):
    os = module("os")
    written = []
    for folder in ("/", "/usr", "/etc", "/dev", "/proc", "/plugin", "/plugin/hostile", where["data_dir"]):
        try:
            os.close(os.open(f"{folder}/planted", os.O_CREAT | os.O_WRONLY))
            written.append(folder)
        except OSError:
            continue
    return written
