"""Archives as ordinary tools make them; each is accepted."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib

from samples.archives import tar_parts, zip_parts
from samples.archives.sample import Samples
from samples.archives.zip_parts import DATA_DESCRIPTOR, DOS, STORED, UTF8, extra, zip_of

_samples = Samples()
_add = _samples.add

_CODE = b"metadata = {}\n" * 20
_FOLDER, _SETGID_FOLDER = 0o40755 << 16 | 0x10, 0o42775 << 16 | 0x10
_COMMIT = b"1f0e2d3c4b5a69788796a5b4c3d2e1f001234567"


@_add()
def zip_as_info_zip_makes_it() -> bytes:
    # Times and owner of `zip -r`, as extra fields of both headers.
    times = extra(0x5455, b"\x03" + bytes(8)) + extra(0x7875, b"\x01\x04\xe8\x03\0\0\x04\xe8\x03\0\0")
    folder = zip_parts.Entry("p/", b"", STORED, attributes=_FOLDER, extra=times)
    return zip_of(
        folder, zip_parts.Entry("p/manifest.py", _CODE, extra=times), zip_parts.Entry("p/empty.py", b"", STORED)
    )


@_add()
def zip_as_info_zip_names_it_on_unix() -> bytes:
    return zip_of(zip_parts.Entry("p/größe.py", _CODE, flags=0), zip_parts.Entry("p/manifest.py", _CODE))


@_add()
def zip_as_info_zip_streams_it() -> bytes:
    # `zip -r - p`: zip64 fields and a long data descriptor for a content whose size was not known.
    content = zip_parts.deflate(_CODE)
    long = struct.pack("<4sL2Q", b"PK\x07\x08", zlib.crc32(_CODE), len(content), len(_CODE))
    local = {"size": 0xFFFFFFFF, "packed_size": 0xFFFFFFFF, "crc": 0, "extra": extra(1, bytes(16)), "descriptor": long}
    return zip_of(zip_parts.Entry("p/manifest.py", _CODE, flags=DATA_DESCRIPTOR, local=local))


@_add()
def zip_as_finder_makes_it() -> bytes:
    folder = zip_parts.Entry("p/", b"", STORED, attributes=_FOLDER)
    named = zip_parts.Entry("p/größe.py", _CODE, flags=DATA_DESCRIPTOR | UTF8)
    clutter = zip_parts.Entry("__MACOSX/p/._größe.py", bytes(120), flags=DATA_DESCRIPTOR | UTF8)
    store = zip_parts.Entry("p/.DS_Store", bytes(300), flags=DATA_DESCRIPTOR)
    return zip_of(folder, named, clutter, store, zip_parts.Entry("p/manifest.py", _CODE, flags=DATA_DESCRIPTOR))


@_add()
def zip_as_windows_explorer_makes_it() -> bytes:
    names = ("p/manifest.py", "p/processors/core.py")
    return zip_of(*(zip_parts.Entry(name, _CODE, attributes=0x20, made_on=DOS) for name in names))


@_add()
def zip_as_dot_net_makes_it() -> bytes:
    return zip_of(zip_parts.Entry("manifest.py", _CODE, attributes=0, made_on=DOS, flags=UTF8))


@_add()
def zip_as_python_makes_it() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("p")
        archive.writestr("p/manifest.py", _CODE)
        archive.writestr("p/größe.py", _CODE)
        with archive.open("p/streamed.py", "w", force_zip64=True) as entry:
            entry.write(_CODE)
    return out.getvalue()


@_add()
def zip_as_python_streams_it() -> bytes:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.written = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.written += bytes(memoryview(data))  # type: ignore[arg-type]
            return len(memoryview(data))  # type: ignore[arg-type]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        archive.writestr("p/manifest.py", _CODE)
        archive.writestr("p/pipeline.py", _CODE)
    return pipe.written


@_add()
def zip_as_git_makes_it() -> bytes:
    times = extra(0x5455, b"\x01" + bytes(4))
    folder = zip_parts.Entry("p/", b"", STORED, attributes=0x10, extra=times)
    return zip_of(folder, zip_parts.Entry("p/manifest.py", _CODE, attributes=0, extra=times), comment=_COMMIT)


@_add()
def zip_with_zip64_records_that_agree() -> bytes:
    entry = zip_parts.Entry("p/manifest.py", _CODE)
    plain = zip_of(entry)
    at = len(zip_parts.local_part(entry))
    size = len(zip_parts.central_part(entry, 0))
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, at)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at + size, 1)
    return plain[: at + size] + record + locator + zip_parts.end_part(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)


@_add()
def zip_aligned_with_zeros() -> bytes:
    return zip_of(zip_parts.Entry("p/manifest.py", _CODE, STORED, local={"extra": bytes(3)}))


@_add()
def zip_with_a_stored_zip_inside() -> bytes:
    inner = zip_of(zip_parts.Entry("x", b"1"))
    return zip_of(zip_parts.Entry("p/manifest.py", _CODE), zip_parts.Entry("p/model.zip", inner, STORED))


@_add()
def zip_with_an_agreeing_unicode_path() -> bytes:
    name = "p/größe.py".encode()
    path = extra(0x7075, b"\x01" + zlib.crc32(name).to_bytes(4, "little") + name)
    return zip_of(zip_parts.Entry(name, _CODE, extra=path), zip_parts.Entry("p/manifest.py", _CODE))


@_add()
def zip_with_many_files_and_folders() -> bytes:
    return zip_of(*(zip_parts.Entry(f"p/{i % 30}/f{i}.py", b"", STORED) for i in range(999)), zip_parts.Entry("p/a.py"))


@_add()
def zip_with_names_that_only_look_reserved() -> bytes:
    names = ("console.py", "com.py", "nulls.py", "auxiliary.py", "prn_.py", "com10.py", "..hidden.py", "a..b.py")
    return zip_parts.simple_zip(*(f"p/{name}" for name in names))


@_add()
def tar_gz_as_gnu_makes_it() -> bytes:
    long = ("p/" + "a_long_folder_name/" * 6 + "core.py").encode()
    return tar_parts.gz_of(
        tar_parts.Entry("p/", b"", b"5", mode=0o755, magic=tar_parts.GNU),
        tar_parts.Entry("p/manifest.py", _CODE, magic=tar_parts.GNU),
        tar_parts.Entry("././@LongLink", long + b"\0", b"L", magic=tar_parts.GNU),
        tar_parts.Entry(long[:100], _CODE, magic=tar_parts.GNU),
        end=bytes(10_240),
    )


@_add()
def tar_gz_as_bsdtar_makes_it() -> bytes:
    return tar_parts.gz_of(
        tar_parts.Entry("./", b"", b"5", mode=0o755),
        tar_parts.Entry("./._manifest.py", bytes(163)),
        tar_parts.pax(
            path="./größe.py", mtime="1700000000.123456789", LIBARCHIVE__xattr__a="Yg", SCHILY__xattr__a=b"\1\0"
        ),
        tar_parts.Entry("./gr__e.py", _CODE),
        tar_parts.Entry("./manifest.py", _CODE),
    )


@_add()
def tar_gz_as_git_makes_it() -> bytes:
    return tar_parts.gz_of(
        tar_parts.pax(b"g", comment=_COMMIT),
        tar_parts.Entry("p/", b"", b"5", mode=0o775),
        tar_parts.Entry("p/manifest.py", _CODE, mode=0o664),
        end=bytes(10_240),
    )


@_add()
def tar_gz_as_python_makes_it() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in ("p/manifest.py", "p/größe.py", "p/" + "x" * 150 + ".py"):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(_CODE), 1_700_000_000.5  # type: ignore[assignment]
            archive.addfile(info, io.BytesIO(_CODE))
    return out.getvalue()


@_add()
def tar_with_a_ustar_prefix() -> bytes:
    return tar_parts.tar_of(
        tar_parts.Entry("core.py", prefix=b"p/" + b"deep/" * 25 + b"er"), tar_parts.Entry("p/manifest.py")
    )


@_add()
def tar_from_a_shared_folder() -> bytes:
    # The bit that hands a folder's group on to new files is common where people share a drive.
    folder = tar_parts.Entry("p/", b"", b"5", mode=0o2775)
    return tar_parts.tar_of(folder, tar_parts.Entry("p/manifest.py", mode=0o664))


@_add()
def tar_with_a_large_owner_and_a_time_before_1970() -> bytes:
    odd = tar_parts.Entry("p/manifest.py", owner=b"\x80\0\0\0\x7f\xff\xff\xff", time=b"\xff" * 11 + b"\x85")
    return tar_parts.tar_of(odd)


@_add()
def tar_with_an_old_folder_and_a_contiguous_file() -> bytes:
    return tar_parts.tar_of(tar_parts.Entry("p/", b"", b"\0"), tar_parts.Entry("p/manifest.py", kind=b"7"))


@_add()
def tar_gz_with_a_name_and_a_comment_in_its_gzip_header() -> bytes:
    packed = gzip.compress(tar_parts.simple_tar("p/manifest.py"), mtime=0)
    return packed[:3] + b"\x18" + packed[4:10] + b"plugin.tar\0a comment\0" + packed[10:]


@_add()
def zip_from_a_shared_folder() -> bytes:
    return zip_of(zip_parts.Entry("p/", b"", STORED, attributes=_SETGID_FOLDER), zip_parts.Entry("p/manifest.py"))


BENIGN = tuple(_samples.all)
