"""What a host can be asked: describe, build, run, predict, warmup; of an author, also libraries and tests.

One `Plugin` holds the loaded package, its built pipeline and its handler; it is used from one thread only.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mixpeek.contract.columns import DATA, DOCUMENT_ID
from mixpeek.host.describe import jsonable, read_manifest
from mixpeek.host.failures import invalid
from mixpeek.host.loader import PluginPackage
from mixpeek.host.patience import Patience
from mixpeek.host.realtime import Handler, find_handler
from mixpeek.host.records import place
from mixpeek.host.steps import Pipeline, Step, build_steps, warm

Answer = tuple[Any, bytes]


class Plugin:
    """The plugin this host was started for; each verb returns a JSON-able result and a body."""

    def __init__(self, package: PluginPackage) -> None:
        self._package = package
        self._steps: Pipeline | None = None
        self._built_with: dict[str, Any] = {}
        self._identity: tuple[str, str] | None = None
        self._handler: Handler | None = None
        self._vectors: frozenset[str] | None = None
        self._declared: dict[str, Any] | None = None
        self.batch_size = 1

    def describe(self, request: dict[str, Any], _: bytes) -> Answer:
        """Return the manifest as JSON and how realtime is answered, or only the part that is asked for."""
        part = request.get("part")
        manifest = {} if part == "realtime" else read_manifest(self._package.load("manifest"))
        # Asked for alone, a realtime.py that fails hides nothing that manifest.py says.
        style = self._realtime().style if part != "manifest" and self._package.has("realtime") else None
        python = ".".join(str(part) for part in sys.version_info[:3])
        return {"manifest": manifest, "realtime": style, "python": python}, b""

    def build(self, request: dict[str, Any], _: bytes) -> Answer:
        """Build the pipeline that later runs use, and return its steps."""
        name, version = request.get("feature_extractor_name"), request.get("version")
        self._identity = (str(name), str(version)) if name and version else None
        steps = self._build(request.get("parameters") or {})
        return {"steps": [step.wire() for step in steps]}, b""

    def run(self, request: dict[str, Any], body: bytes) -> Answer:
        """Run the chosen steps (all enabled ones by default) over a table.

        With `isolate`, rows that fail do not fail the others: they are named in the result, and left out of the table.
        """
        from mixpeek.host.rows import run_table  # pandas and pyarrow, 1 s to import: only when a table comes

        steps = self._chosen(request.get("steps"))
        wanted = request.get("isolate")
        patience = None if wanted is None else Patience(float(wanted["call_s"]), alone=bool(wanted["alone"]))
        explodes = request.get("explodes") is True
        place.enter_chunk(request.get("chunk"))
        vectors, most = self._vector_columns(), request.get("batch_rows")
        return run_table(self._package, steps, body, vectors, most, patience, explodes=explodes)

    def predict(self, request: dict[str, Any], _: bytes) -> Answer:
        """Answer one realtime request through the handler, or through the pipeline if there is no handler."""
        return {"result": self.predict_one(request.get("inputs"), request.get("parameters") or {})}, b""

    def predict_one(self, inputs: Any, parameters: dict[str, Any]) -> Any:
        """Return the answer to one realtime request."""
        handler = self._handler
        if handler is None and self._package.has("realtime"):
            handler = self._realtime()
        if handler is None:
            return self._predict_by_pipeline([inputs], parameters)[0]
        return self._package.settle(handler(inputs, parameters))

    def predict_many(self, inputs: Sequence[Any], parameters: dict[str, Any]) -> list[Any]:
        """Return the answers to several realtime requests, from one call of `predict_batch` or of the pipeline."""
        if self._handler is None:
            return self._predict_by_pipeline(inputs, parameters)
        results: list[Any] = self._package.settle(self._handler.call_batch(inputs, parameters))
        return results

    def batches_by_keys(self) -> bool:
        """Whether requests answered together become rows of one table."""
        return self._handler is None

    def warmup(self, request: dict[str, Any], _: bytes) -> Answer:
        """Import everything and make handler and processors, so that the first call finds them ready.

        With `batch_size`, inference requests are answered so many at a time from here on, if the plugin can.
        """
        if self._package.has("realtime"):
            handler = self._realtime()
            handler.prepare()
            batches = handler.has_batch
        else:
            warm(self._chosen(None), self._package)
            batches = True
        wanted = request.get("batch_size")
        self.batch_size = wanted if batches and isinstance(wanted, int) and wanted > 1 else 1
        return {"batch_size": self.batch_size}, b""

    def libraries(self, request: dict[str, Any], _: bytes) -> Answer:
        """Import modules that are none of the plugin's, so that a later call finds them imported."""
        from mixpeek.host.testing import import_libraries  # hosts of a server are never asked for this

        import_libraries(map(str, request.get("modules") or ()), with_pytest=bool(request.get("pytest")))
        return {}, b""

    def tests(self, request: dict[str, Any], _: bytes) -> Answer:  # noqa: ARG002
        """Run the plugin's own tests, and return pytest's exit code."""
        from mixpeek.host.testing import run_tests  # as above

        return {"exit_code": run_tests(self._package)}, b""

    def _realtime(self) -> Handler:
        if self._handler is None:
            self._handler = find_handler(self._package.load("realtime"))
        return self._handler

    def _build(self, parameters: dict[str, Any]) -> Pipeline:
        if self._identity is None:
            manifest = read_manifest(self._package.load("manifest"))
            self._identity = (str(manifest.get("feature_extractor_name", "")), str(manifest.get("version", "")))
        self._steps = build_steps(self._package, dict(parameters), *self._identity)
        self._built_with = parameters
        return self._steps

    def _chosen(self, indices: list[int] | None) -> list[Step]:
        steps = self._build({}) if self._steps is None else self._steps
        first: list[Step] = [] if steps.prepare is None else [steps.prepare]
        if indices is None:
            return first + [step for step in steps if step.enabled]
        absent = [index for index in indices if not 0 <= index < len(steps)]
        if absent:
            raise invalid(f"there is no step {absent[0]}; the pipeline has {len(steps)}")
        return first + [steps[index] for index in indices]

    def _vector_columns(self) -> frozenset[str]:
        if self._vectors is None:
            features = self._manifest().get("features")
            names = [
                feature.get("feature_name")
                for feature in (features if isinstance(features, list) else [])
                if isinstance(feature, dict) and feature.get("feature_type") == "embedding"
            ]
            self._vectors = frozenset(name for name in names if isinstance(name, str))
        return self._vectors

    def _manifest(self) -> dict[str, Any]:
        if self._declared is None:
            self._declared = read_manifest(self._package.load("manifest"))
        return self._declared

    def _predict_by_pipeline(self, inputs: Sequence[Any], parameters: dict[str, Any]) -> list[Any]:
        from mixpeek.host.rows import run_rows  # pandas, as in `run`

        if not all(isinstance(each, Mapping) for each in inputs):
            raise invalid("without realtime.py the inputs must be an object: its keys become the row's columns")
        if self._steps is None or (parameters and parameters != self._built_with):
            self._build(parameters)
        rows = [_row(each, number) for number, each in enumerate(inputs)]
        found = run_rows(self._package, self._chosen(None), rows, explodes=self._manifest().get("explodes") is True)
        return [{name: jsonable(plain(value), name) for name, value in each.items()} for each in found]


def _row(inputs: Mapping[str, Any], number: int) -> dict[str, Any]:
    content = next((inputs[key] for key in (DATA, "text") if key in inputs), next(iter(inputs.values()), None))
    return {DATA: content, DOCUMENT_ID: f"realtime-{number}" if number else "realtime", **inputs}


def plain(value: Any) -> Any:
    """Return a numpy, pandas or tensor value as Python's own numbers and lists."""
    convert = getattr(value, "tolist", None)
    return convert() if callable(convert) else value
