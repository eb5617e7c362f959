import inspect


class Base:
    registry = {}

    def __init_subclass__(cls, **options):
        Base.registry[cls.__name__] = cls


class Child(Base):
    """Documented."""


def names():
    return [kind.__qualname__ for kind in Child.__mro__] + list(inspect.signature(names).parameters)

class Processor:
    """Looks at its own classes."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(names()) + len(type(text).__name__) + len(Child.__doc__) for text in batch["data"]]
        return batch
