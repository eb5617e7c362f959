class Field:
    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        return instance.__dict__.get(self.name, 0) if instance is not None else self

    def __set__(self, instance, value):
        instance.__dict__[self.name] = value


class Meta(type):
    def __getitem__(cls, item):
        return item


class Row(metaclass=Meta):
    size = Field()

class Processor:
    """Uses descriptors."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [Row[len(str(text))] for text in batch["data"]]
        return batch
