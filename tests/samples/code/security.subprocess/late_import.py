# expect: security.subprocess
class Processor:
    def _load_model(self):
        # Looks like the usual lazy import of a model library.
        from subprocess import Popen as load_model

        self._model = load_model(["/bin/sh", "-c", "id"])
