# expect: security.threading
from threading import Thread


class Processor:
    def __init__(self, config):
        Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while True:
            pass
