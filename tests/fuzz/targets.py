"""What is fuzzed: functions that take bytes and raise only when an invariant does not hold.

What a reader may raise on bad input is named in each target; anything else is a defect.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from fuzz import repairs
from mixpeek.errors import PluginReplyInvalid, PluginReplyTooLarge
from mixpeek.execution import replies
from mixpeek.execution.tables import from_stream, to_stream
from mixpeek.host.frames import FrameInvalid, FrameReader, encode
from mixpeek.inspection.archive import ArchiveRefused, UnpackedArchive, read_archive
from mixpeek.inspection.entries import is_clutter, split_name
from mixpeek.inspection.findings import Finding
from mixpeek.inspection.limits import ArchiveLimits

_KIB = 1024
# Small, so that small inputs reach them.
LIMITS = ArchiveLimits(
    archive_bytes=128 * _KIB, unpacked_bytes=512 * _KIB, files=40, entries=120, ratio=50, ratio_from_bytes=128 * _KIB
)
_MAX_MESSAGE = 2_000
# As large as one text of a host may be; see `replies`.
_MAX_TEXT = 4_000


@dataclass(frozen=True)
class Target:
    """A function to fuzz, what repairs its inputs after a change (with numbers below `repairs`), and words to use."""

    name: str
    run: Callable[[bytes], None]
    tokens: tuple[bytes, ...] = ()
    unwrap: Callable[[bytes], bytes] = bytes
    repair: Callable[[bytes, int], bytes] = lambda data, _: data
    repairs: int = 1


class _Folders:
    """A folder of one's own for each run, in memory where there is such a place, and what must stay as it is."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        self.base = Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if os.access(memory, os.W_OK) else None))
        atexit.register(shutil.rmtree, self.base, ignore_errors=True)
        (self.base / "sentinel").write_bytes(b"untouched")
        self.into = self.base / "into"

    def check_outside(self) -> None:
        assert {path.name for path in self.base.iterdir()} == {"into", "sentinel"}, "something was written outside"
        assert (self.base / "sentinel").read_bytes() == b"untouched"

    def clear(self) -> None:
        shutil.rmtree(self.into, ignore_errors=True)


_folders: _Folders | None = None


def archive(data: bytes) -> None:
    """Read an archive; allowed: ArchiveRefused, with nothing left behind."""
    global _folders  # noqa: PLW0603 -- made by the process that fuzzes, not by the one that imports
    _folders = _folders or _Folders()
    try:
        unpacked = read_archive(data, _folders.into, LIMITS)
    except ArchiveRefused as refused:
        assert not any(_folders.into.iterdir()), "a refused archive left something behind"
        assert refused.findings
        for finding in refused.findings:
            assert finding.rule.startswith("archive.")
            assert finding.is_error
            _check_finding(finding)
    else:
        _check_unpacked(unpacked, _folders.into, data)
    finally:
        _folders.check_outside()
        _folders.clear()


def _check_unpacked(unpacked: UnpackedArchive, into: Path, data: bytes) -> None:
    on_disk = {}
    for path in sorted(into.rglob("*")):
        mode = path.lstat().st_mode
        assert stat.S_ISDIR(mode) or stat.S_ISREG(mode), path
        assert stat.S_IMODE(mode) == (0o755 if stat.S_ISDIR(mode) else 0o644), path
        assert path.name.isprintable()
        if stat.S_ISREG(mode):
            on_disk[path.relative_to(unpacked.root).as_posix()] = path.read_bytes()
    assert on_disk.keys() == {file.path for file in unpacked.files}
    assert 0 < len(on_disk) <= LIMITS.files
    assert sum(map(len, on_disk.values())) <= LIMITS.unpacked_bytes
    assert all(len(on_disk[file.path]) == file.size_bytes for file in unpacked.files)
    above = f"{unpacked.name}/" if unpacked.name else ""
    others = _as_python_reads(data)
    assert others in (None, {above + name: content for name, content in on_disk.items()}), "others see another plugin"
    again = into / "again"
    assert read_archive(_zip_of(on_disk), again).code_hash == unpacked.code_hash, "packed again, it is another plugin"


def _as_python_reads(data: bytes) -> dict[str, bytes] | None:
    """Return the files that Python's own readers see, without clutter; None if they refuse the archive."""
    read = _zip_as_python_reads if data.startswith(b"PK") else _tar_as_python_reads
    try:
        found = [(split_name(name), content) for name, content in read(data)]
    except (zipfile.BadZipFile, tarfile.TarError, NotImplementedError):
        return None
    named = [(parts, content) for parts, content in found if not isinstance(parts, Finding) and not is_clutter(parts)]
    return {"/".join(parts): content for parts, content in named}


def _zip_as_python_reads(data: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                # What it would write unpacked; clutter may be damaged, as nobody looks into it.
                name = (
                    info.filename
                    if info.flag_bits & 0x800
                    else info.filename.encode("cp437").decode("utf-8", "replace")
                )
                parts = split_name(name)
                is_wanted = not isinstance(parts, Finding) and not is_clutter(parts)
                yield name, archive.read(info) if is_wanted else b""


def _tar_as_python_reads(data: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for info in archive:
            if info.isfile():
                content = archive.extractfile(info)
                assert content is not None
                yield info.name, content.read()


def _zip_of(files: dict[str, bytes]) -> bytes:
    from samples.archives.zip_parts import STORED, Entry, zip_of

    return zip_of(*(Entry(f"p/{name}", content, STORED) for name, content in files.items()))


def frames(data: bytes) -> None:
    """Cut bytes into frames, at once and in pieces; allowed: FrameInvalid."""
    whole, cut = _frames([data]), _frames(_pieces(data))
    assert whole == cut, "frames depend on how the bytes come"
    assert _frames([data], is_reply=True) in (whole, None), "a reply is another frame"
    for header, body in whole or ():
        again = FrameReader().feed(encode(header, body))
        assert [(json.dumps(head), rest) for head, rest in again] == [(json.dumps(header), body)]


def _frames(pieces: list[bytes], *, is_reply: bool = False) -> list[tuple[dict[str, Any], bytes]] | None:
    reader = FrameReader(is_reply=is_reply)
    found = []
    try:
        for piece in pieces:
            found += reader.feed(piece)
    except FrameInvalid as error:
        assert len(str(error)) <= _MAX_MESSAGE
        return None
    return found


def _pieces(data: bytes) -> list[bytes]:
    sizes = (1, 3, 8, 64, 4_096)
    pieces, at, turn = [], 0, len(data)
    while at < len(data):
        turn += 1
        size = sizes[turn % len(sizes)]
        pieces.append(data[at : at + size])
        at += size
    return pieces


def reply(data: bytes) -> None:
    """Read a host's answers to every verb; allowed: PluginReplyInvalid."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict):
        failure = replies.error_from(value)
        _check_text(failure.message)
        assert len(failure.details.get("frames", ())) <= 30
        _check_texts(failure.details)
    readers: tuple[Callable[[Any], Any], ...] = (replies.description_from, replies.steps_from, replies.health_from)
    for read in (*readers, replies.prediction_from):
        try:
            result = read(value)
        except PluginReplyInvalid as error:
            _check_text(error.message)
            continue
        if read is replies.description_from:
            _check_text(result.python)
        if read is replies.steps_from:
            assert [step.index for step in result] == list(range(len(result)))
            for step in result:
                _check_texts([step.name, step.resource_type, step.condition])
        if read is replies.health_from:
            assert max(abs(result.waiting), abs(result.answered)) < 2**63


def _check_text(text: str) -> None:
    assert len(text) <= _MAX_TEXT
    assert "\0" not in text, "PostgreSQL keeps no NUL"
    text.encode()


def _check_texts(value: Any) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int):
        assert abs(value) < 2**63
    elif isinstance(value, dict):
        for part in value.values():
            _check_texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _check_texts(part)


_given: pa.Table | None = None
# What a frame of this size may at most become: a bit per value as a Python object is the worst of the honest.
_MAX_GROWTH = 64


def table(data: bytes) -> None:
    """Read the table of a host; allowed: PluginReplyInvalid, PluginReplyTooLarge."""
    global _given  # noqa: PLW0603 -- as above
    _given = _given or pa.table({"document_id": ["a", "b", "c"], "data": ["x", "y", "z"], "extra": [1, 2, 3]})
    try:
        made = from_stream(data, _given)
    except (PluginReplyInvalid, PluginReplyTooLarge) as error:
        assert len(error.message) <= _MAX_MESSAGE
        error.message.encode()
        return
    assert made.num_rows == 3
    assert made.column("document_id").equals(_given.column("document_id"))
    assert made.nbytes <= _MAX_GROWTH * len(data) + _given.nbytes, "a small frame became a large table"
    made.validate(full=True)
    made.to_pylist()
    stream = to_stream(made)
    assert len(stream) <= _MAX_GROWTH * len(data) + 64 * _KIB


def scan(data: bytes) -> None:
    """Scan a source file; nothing may be raised."""
    from mixpeek.inspection.scan import scan_source  # a room of its own: the other targets do without

    found = scan_source("plugin.py", data)
    lines = max(len(data.splitlines()), data.count(b"\n") + data.count(b"\r") + data.count(b"\f")) + 1
    for finding in found:
        _check_finding(finding)
        assert finding.line is None or 1 <= finding.line <= lines, f"line {finding.line} of {lines}"
        assert finding.column is None or 1 <= finding.column <= len(data) + 1
    assert len(found) == len(set(found))


def _check_finding(finding: Finding) -> None:
    for text in (finding.rule, finding.message, finding.hint, finding.path):
        assert text.isprintable()
        assert len(text) <= _MAX_MESSAGE
        text.encode()
    assert finding.rule
    assert finding.message
    json.dumps(finding.wire(), ensure_ascii=False).encode()


_ZIP_TOKENS = (
    *(b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"),
    *(
        b"\x01\x00\x10\x00",
        b"\x75\x70\x09\x00\x01",
        b"../",
        b"..\\",
        b"C:",
        b"\xff\xff\xff\xff",
        b"con.py",
        b"\0",
        b"/",
    ),
    *(b"\x08\x00\x08\x00", b"\xa0\xff", b"\xed\x41", b"e\xcc\x81", b"\xe2\x80\x8d", b"__MACOSX/", b".DS_Store"),
)
_TAR_TOKENS = (
    *(b"ustar\x0000", b"ustar  \0", b"\x80\0\0\0\0\0\0\0\0\0\0\1", b"\xff" * 12, b"../", b"aux.py", b"./././@LongLink"),
    *(b"16 path=../../x\n", b"10 size=9\n", b"22 GNU.sparse.major=1\n", b"18 hdrcharset=BIN\n", b"15 linkpath=/x\n"),
    *(bytes(512), b"x", b"g", b"L", b"K", b"S", b"1", b"2", b"5", b"7", b"D", b"00000000000\0", b"77777777777\0"),
)
_FRAME_TOKENS = (
    *(
        b"\x02\0\0\0\0\0\0\0{}",
        b'{"id":1,"ok":true}',
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"\\ud800",
        b"\\u0000",
        b"[" * 600,
    ),
    *(b"\xef\xbb\xbf", b'{"a":' * 300, b"9" * 400, b"null", b'"', b"\xff\xff\xff\x03", b"\0\0\0\x10"),
)
_REPLY_TOKENS = (
    *(b'"error":', b'"frames":', b'"steps":', b'"index":', b'"manifest":', b"null", b"true", b"[]", b"{}", b'"', b"-1"),
    *(b"\\u0000", b"\\ud800", b"1e999", b"NaN", b"9" * 200, b'"cpu"', b'"api"', b'"PluginReplyInvalid"', b"[" * 300),
)
_TABLE_TOKENS = (b"\xff\xff\xff\xff", b"\x80\0\0\0", bytes(8), b"\xff" * 8, b"\x08\0\0\0", b"\x18\0\0\0", b"\x04\0\0\0")
_SCAN_TOKENS = (
    *(b"import os", b"from os import ", b"__import__('os')", b"getattr(", b"eval", b"exec(", b".__subclasses__()"),
    *(b"os.__dict__['system']", b"vars(", b"sys.modules['", b"operator.attrgetter('", b"builtins.", b"__builtins__["),
    *(
        b"# mixpeek: allow ",
        b"# coding: utf-16\n",
        b"# coding: utf_7\n",
        b"\xef\xbb\xbf",
        b"\0",
        b"\x0c",
        b"\r",
        b"\\\n",
    ),
    *(
        b"lambda x: ",
        b"global os\n",
        b"del os\n",
        b"async def f():\n ",
        b"class X(",
        b"match x:\n case ",
        b"f'{",
        b"'''",
    ),
    *(
        b"(" * 90,
        b"[" * 90,
        b"-" * 400,
        b"a." * 300,
        b"not " * 200,
        b"if x:\n" * 3,
        b"e\xef\xbd\x96al",
        b" as ",
        b" = ",
    ),
    *(b"subprocess", b"pickle.loads(", b"ctypes", b"'ev' + 'al'", b"'%s' % 'os'", b"'{}'.format(", b"*", b"**", b":="),
)

TARGETS = {
    target.name: target
    for target in (
        Target("zip", archive, _ZIP_TOKENS, repair=repairs.repair_zip, repairs=3),
        Target("tar", archive, _TAR_TOKENS, repairs.plain_tar, repairs.repair_tar, repairs=4),
        Target("frames", frames, _FRAME_TOKENS, repair=repairs.repair_frames, repairs=2),
        Target("replies", reply, _REPLY_TOKENS),
        Target("tables", table, _TABLE_TOKENS),
        Target("scan", scan, _SCAN_TOKENS),
    )
}
