"""A namespace for one session of development: each state of a plugin published, deployed, asked and run in it."""

from __future__ import annotations

import base64
import contextlib
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mixpeek import Mixpeek
from mixpeek.cli.deploying import follow, has_failed, show_deployment
from mixpeek.cli.dev.server import Connect
from mixpeek.cli.following import verdict_of
from mixpeek.cli.output import Output
from mixpeek.cli.progress import spinner
from mixpeek.cli.sample_files import blob_type_of, mime_type_of, read_sample_data
from mixpeek.cli.sample_table import short
from mixpeek.client.files import files_in
from mixpeek.contract.columns import SYSTEM_COLUMNS
from mixpeek.errors import InvalidRequest, MixpeekError
from mixpeek.examination.samples import Row, find_shipped
from mixpeek.inspection.manifest_source import ManifestSource
from mixpeek.inspection.pack import pack_directory

_SHOWN = 5
_LONGEST_PATH = 1024
_OWN_FIELDS = frozenset({"document_id", "object_id", "collection_id", "root_object_id", "created_at", "updated_at"})
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"), (int, "number"), (float, "number"), (list, "array"), (dict, "object"),
)  # fmt: skip


@contextlib.contextmanager
def scratch_namespace(connect: Connect, name: str, output: Output) -> Iterator[Mixpeek]:
    """Give a client in a namespace that goes, with all that is in it, when this ends; say so where it cannot."""
    words = "".join(letter if letter.isalnum() else "_" for letter in name)[:40]
    with connect(None) as client:
        created = client.namespaces.create(
            f"dev_{words}_{secrets.token_hex(4)}", description="Scratch of `mixpeek dev`"
        )
    namespace = str(created.namespace_id)
    output.say(f"Scratch namespace {namespace}; it goes when this ends", "dim")
    with connect(namespace) as client:
        try:
            yield client
        finally:
            try:
                client.namespaces.delete(namespace, force=True)
            except MixpeekError as error:
                output.say(f"The scratch namespace {namespace} is left behind: {error.message}", "yellow")


class Scratch:
    """Shows what one state of a plugin after another comes to on a server."""

    def __init__(self, client: Mixpeek, output: Output) -> None:
        self._client = client
        self._output = output

    def show(self, folder: Path, sample_data: Path | None) -> bool:
        """Publish, deploy, ask and run; return whether all of it went well.

        Raises: ArchiveRefused; MixpeekError, with the findings where the plugin is refused.
        """
        began = time.perf_counter()
        archive = pack_directory(folder)
        # Without a version: the next one is taken, as published versions never change.
        published = self._client.plugins.upload(archive, name=_name_of(folder), message="mixpeek dev")
        plugin_id, version = str(published["plugin_id"]), str(published["version"])
        self._output.check("Published", "passed", f"{plugin_id}, {len(archive):,} bytes")
        findings = published.get("validation_errors")
        self._output.findings(each for each in findings or () if isinstance(each, dict))
        self._client.plugins.deploy(plugin_id)
        status = follow(self._client, self._output, plugin_id, wait=True)
        show_deployment(self._output, status, batch_only=False)
        if has_failed(status, batch_only=False):
            return False
        source = sample_data or find_shipped(folder)
        if source is None:
            self._output.check("Sample data", "skipped", "none: pass `--sample-data`, or ship a samples.json")
            return True
        rows = read_sample_data(source)
        realtime = self._ask(plugin_id, rows) if not source.is_dir() else True
        batch = self._run(_name_of(folder), version, rows, source)
        self._output.say(f"{time.perf_counter() - began:.1f} s from save to here", "dim")
        return realtime and batch

    def _ask(self, plugin_id: str, rows: Sequence[Row]) -> bool:
        """Ask the live version the first rows."""
        lines, failed = [], 0
        for number, row in enumerate(rows[:_SHOWN], start=1):
            began = time.perf_counter()
            answer = self._client.plugins.realtime_test(plugin_id, row)
            took = f"{(time.perf_counter() - began) * 1000:.0f} ms"
            if answer.get("status") == "success":
                lines.append([f"  {number}", took, _in_short(answer.get("raw_response"))])
                continue
            failed += 1
            lines.append([f"  {number}", took, f"failed: {answer.get('error')}"])
        self._output.check("Realtime", "failed" if failed else "passed", f"{len(lines)} rows, {failed} failed")
        self._output.table(["  ROW", "TOOK", "ANSWER"], lines, empty="")
        return not failed

    def _run(self, name: str, version: str, rows: Sequence[Row], source: Path) -> bool:
        """Run the samples as a batch, and show its documents, or the rows that failed with the author's lines."""
        client = self._client
        suffix = secrets.token_hex(3)
        objects = [_object_from(row, source.parent) for row in rows]
        properties = {key: {"type": kind} for made in objects for key, kind in _kinds_of(made).items()}
        if source.is_dir():
            properties = {"content": {"type": _kind_of_files(rows)}}
        bucket = client.buckets.create(f"samples_{suffix}", {"properties": properties})
        try:
            if source.is_dir():
                for _ in client.buckets.upload_files(bucket.bucket_id, files_in([source])):
                    pass
            else:
                client.objects.create_batch(bucket.bucket_id, objects)
            collection = client.collections.create(
                collection_name=f"dev_{suffix}",
                source={"type": "bucket", "bucket_ids": [bucket.bucket_id]},
                feature_extractor={"feature_extractor_name": name, "version": version},
            )
            started = client.collections.trigger(collection.collection_id)
            with spinner(self._output, "Running the samples as a batch"):
                client.tasks.wait(started.task_id)
            batch = client.batches.get(bucket.bucket_id, started.batch_id)
            passed = batch.get("status") == "COMPLETED"
            self._output.check("Batch", "passed" if passed else "failed", verdict_of(batch))
            self._show_documents(collection.collection_id)
            if not passed:
                self._show_failures(bucket.bucket_id, started.batch_id)
            client.collections.delete(collection.collection_id)
            return passed
        finally:
            client.buckets.delete(bucket.bucket_id, force=True)

    def _show_documents(self, collection_id: str) -> None:
        page = self._client.documents.list(collection_id, limit=_SHOWN, return_vectors=True)
        lines = [
            [f"  {number}", _in_short({key: value for key, value in document.items() if key not in _OWN_FIELDS})]
            for number, document in enumerate(page.get("results") or (), start=1)
        ]
        self._output.table(["  DOCUMENT", "FIELDS"], lines, empty="")

    def _show_failures(self, bucket_id: str, batch_id: str) -> None:
        for row in list(self._client.batches.iterate_failed(bucket_id, batch_id, limit=_SHOWN)):
            told = row.get("error")
            error = told if isinstance(told, dict) else dict(row)
            self._output.say(f"  {row.get('object_id')}: {error.get('message')}", "bold red")
            for frame in error.get("frames") or (error.get("details") or {}).get("frames") or ():
                self._output.say(f"    {frame.get('file')}:{frame.get('line')} in {frame.get('function')}")
                self._output.say(f"        {frame.get('code') or ''}", "dim")


def _name_of(folder: Path) -> str:
    path = folder / "manifest.py"
    name = ManifestSource.read(path.read_bytes()).text("feature_extractor_name") if path.is_file() else None
    if name is None:
        raise InvalidRequest(
            "manifest.py does not say the plugin's name as a plain text",
            hint='Write `"feature_extractor_name": "my_extractor"` in its `metadata`; `mixpeek plugin test` says more',
        )
    return name


def _kind_of_files(rows: Sequence[Row]) -> str:
    """Return the type of a property that takes all these files."""
    kinds = {str(row["blob_type"]) for row in rows}
    return kinds.pop() if len(kinds) == 1 else "file"


def _object_from(row: Row, folder: Path) -> dict[str, Any]:
    """Return a row as an object: texts and the files below `folder` that it names as blobs, the rest as fields."""
    kept = {key: value for key, value in row.items() if key not in SYSTEM_COLUMNS and value is not None}
    blobs = [_blob_from(key, value, folder) for key, value in kept.items() if isinstance(value, str)]
    return {"blobs": blobs, **{key: value for key, value in kept.items() if not isinstance(value, str)}}


def _blob_from(key: str, value: str, folder: Path) -> dict[str, Any]:
    path = (folder / value).resolve() if len(value) < _LONGEST_PATH and "\0" not in value else folder
    if not path.is_file() or not path.is_relative_to(folder.resolve()):
        return {"property": key, "type": "text", "data": value}
    address = f"data:{mime_type_of(path)};base64,{base64.b64encode(path.read_bytes()).decode()}"
    return {"property": key, "type": blob_type_of(path), "data": address}


def _kinds_of(made: dict[str, Any]) -> dict[str, str]:
    """Return the type of each property of an object."""
    kinds = {blob["property"]: str(blob["type"]) for blob in made["blobs"]}
    for key, value in made.items():
        if key != "blobs":
            kinds[key] = next(kind for base, kind in _KINDS if isinstance(value, base))
    return kinds


def _in_short(value: Any) -> str:
    if not isinstance(value, dict):
        return short(value)
    return ", ".join(f"{key} = {short(each)}" for key, each in value.items() if not str(key).startswith("_"))
