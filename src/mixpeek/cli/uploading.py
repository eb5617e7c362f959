"""Putting files and rows into a bucket from the command line: what goes how, a bar on the way, and what was refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixpeek.cli.output import Output
from mixpeek.cli.progress import count_bar
from mixpeek.client.files import LocalFile, files_in
from mixpeek.client.rows import ROW_SUFFIXES, rows_in
from mixpeek.errors import MixpeekError

if TYPE_CHECKING:
    from mixpeek.client import Mixpeek
    from mixpeek.client.records import Bucket

_SHOWN_FAILURES = 20


class _Row(dict[str, Any]):
    """An object to be, which knows the row it comes from."""

    place: str


@dataclass
class Uploader:
    """One upload: what was sent, what was there, and what was refused."""

    client: Mixpeek
    output: Output
    bucket: Bucket
    at_once: int
    skip_duplicates: bool
    sent: int = 0
    present: int = 0
    rows: int = 0
    failures: list[dict[str, str]] = field(default_factory=list)

    def plan(self, paths: Sequence[Path], *, as_files: bool) -> tuple[list[LocalFile], list[LocalFile]]:
        """Return the files to send as they are, and those of which each row is sent."""
        files: list[LocalFile] = []
        rows: list[LocalFile] = []
        for file in files_in(paths):
            (rows if file.path.suffix.lower() in ROW_SUFFIXES and not as_files else files).append(file)
        return files, rows

    def send_files(
        self, files: Sequence[LocalFile], blob_property: str | None, metadata: Mapping[str, Any] | None
    ) -> None:
        """Send files side by side."""
        if not files:
            return
        with count_bar(self.output, "Files", len(files)) as advance:
            for one in self.client.buckets.upload_files(
                self.bucket.bucket_id,
                files,
                blob_property=blob_property,
                metadata=metadata,
                skip_duplicates=self.skip_duplicates,
                at_once=self.at_once,
            ):
                advance(1)
                if one.error is not None:
                    self._fail(one.file.name, _words(one.error))
                elif one.outcome == "present":
                    self.present += 1
                else:
                    self.sent += 1

    def send_rows(self, files: Sequence[LocalFile], policy: str | None) -> None:
        """Send the rows of files in groups, side by side."""
        if not files:
            return
        objects = (row for file in files for row in self._rows_of(file))
        with count_bar(self.output, "Rows", None) as advance:
            for group, made in self.client.objects.create_all(
                self.bucket.bucket_id, objects, policy=policy, at_once=self.at_once
            ):
                advance(len(group))
                self.rows += made.succeeded_count
                for failed in made.failed:
                    row = group[failed["object_index"]]
                    self._fail(row.place if isinstance(row, _Row) else "", str(failed.get("error")))

    def show(self) -> None:
        """Print what has become of it all."""
        self.output.document(
            {
                "success": not self.failures,
                "bucket_id": self.bucket.bucket_id,
                "files_sent": self.sent,
                "files_present": self.present,
                "rows": self.rows,
                "failed": self.failures,
            }
        )
        counts = {"files sent": self.sent, "there already": self.present, "rows": self.rows}
        words = [f"{count:,} {what}" for what, count in counts.items() if count]
        failed = [f"{len(self.failures):,} refused"] if self.failures else []
        self.output.show(", ".join([*failed, *words]) or "Nothing to send", "red" if failed else "")
        for failure in self.failures[:_SHOWN_FAILURES]:
            self.output.say(f"  {failure['source']}: {failure['error']}", "red")
        if len(self.failures) > _SHOWN_FAILURES:
            self.output.say("  and more; `--json` prints all of them")

    def _rows_of(self, file: LocalFile) -> Iterator[_Row]:
        for number, body in enumerate(rows_in(file.path, self.bucket.bucket_schema), 1):
            row = _Row(body if not self.skip_duplicates else {"skip_duplicates": True, **body})
            row.place = f"{file.name}, row {number}"
            yield row

    def _fail(self, source: str, error: str) -> None:
        self.failures.append({"source": source, "error": error})


def _words(error: Exception) -> str:
    hint = error.hint if isinstance(error, MixpeekError) else None
    return f"{error}; {hint}" if hint else str(error)
