"""What an archive claims or unpacks to never decides how much memory reading it takes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import pytest

from samples.archives import tar_parts, zip_parts

_MIB = 1024 * 1024
_PIECE = bytes(range(256)) * 32 + zlib.compress(bytes(range(256)) * 8)[:2_000].ljust(_MIB - 8_192, b"\0")
_CAPPED = textwrap.dedent("""
    import resource, sys
    from pathlib import Path
    from mixpeek.inspection.archive import ArchiveRefused, read_archive

    path, into, more = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more,) * 2)
    with path.open("rb") as source:
        try:
            read_archive(source, into)
        except ArchiveRefused as refused:
            print(sorted({finding.rule for finding in refused.findings}), list(into.iterdir()))
""")


def flushed(piece: bytes, times: int, wbits: int, start: bytes = b"") -> bytes:
    """Return a deflate stream, cut off, that unpacks to the start and then this piece many times over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    # Behind a full flush nothing refers to what came before, so the same bytes may follow again and again.
    packed = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + packed * times


def zip_of_520_mb() -> bytes:
    packed = flushed(bytes(6_000) + _PIECE[6_000:], 520, -15)
    return zip_parts.zip_of(zip_parts.Entry("p/a.bin", b"", packed=packed + bytes(4 * _MIB), size=520 * _MIB))


def tar_gz_of_520_mb_to_skip() -> bytes:
    start = tar_parts.Entry("__MACOSX/a.bin", b"", size=2_000 * _MIB).raw
    # What follows takes the archive over a two-hundredth of what it unpacks to; it is never reached.
    return flushed(_PIECE, 560, 31, start) + bytes(4 * _MIB)


def zip_of_many_bad_names() -> bytes:
    return zip_parts.zip_of(*(zip_parts.Entry(f"../{i}" + "x" * 700, b"", zip_parts.STORED) for i in range(9_000)))


def tar_of_long_headers() -> bytes:
    record = tar_parts.pax(b"g", comment=b"x" * 1_000_000).raw
    return record * 60 + tar_parts.tar_of(tar_parts.Entry("../x.py"))


@pytest.mark.parametrize(
    ("build", "rule"),
    [
        (zip_of_520_mb, "archive.too_large_unpacked"),
        (tar_gz_of_520_mb_to_skip, "archive.too_large_unpacked"),
        (zip_of_many_bad_names, "archive.escaping_path"),
        (tar_of_long_headers, "archive.escaping_path"),
    ],
)
def test_an_archive_is_read_in_48_mib_whatever_it_holds(build: object, rule: str, tmp_path: Path) -> None:
    archive, into = tmp_path / "archive", tmp_path / "into"
    archive.write_bytes(build())  # type: ignore[operator]

    done = subprocess.run(
        [sys.executable, "-c", _CAPPED, archive, into, str(48 * _MIB)], capture_output=True, text=True, check=False
    )

    assert (done.stdout.strip(), done.stderr) == (f"['{rule}'] []", "")
