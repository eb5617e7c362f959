# expect: security.computed_attribute
import os


class Processor:
    def __call__(self, batch):
        return getattr(os, self.config.name)(self.config.value)
