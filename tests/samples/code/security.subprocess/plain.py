# expect: security.subprocess
"""Tags documents with the version of the host."""
import subprocess


class TagProcessor:
    def __call__(self, batch):
        batch["host"] = subprocess.check_output(["uname", "-a"], text=True)
        return batch
