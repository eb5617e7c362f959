# expect: security.os_system
import os


class Processor:
    encode = os.system

    def __call__(self, batch):
        self.encode("id")
        return batch
