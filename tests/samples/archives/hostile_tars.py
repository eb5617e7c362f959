"""Tars that lie, hide something, or hold what no plugin needs, and what is no archive at all."""

from __future__ import annotations

import bz2
import gzip
import lzma

from mixpeek.inspection.limits import ArchiveLimits
from samples.archives.sample import Samples
from samples.archives.tar_parts import END, GNU, Entry, gz_of, pax, pax_record, simple_tar, tar_of
from samples.archives.zip_parts import simple_zip

_samples = Samples()
_add = _samples.add

_OK = Entry("p/ok.py")
_MIB = 1024 * 1024


@_add("link")
def tar_symbolic_link() -> bytes:
    return gz_of(_OK, Entry("p/passwd", b"", b"2", b"/etc/passwd"))


@_add("link")
def tar_hard_link() -> bytes:
    return gz_of(_OK, Entry("p/passwd", b"", b"1", b"p/ok.py"))


@_add("link")
def tar_link_to_a_folder_and_a_file_below_it() -> bytes:
    return gz_of(_OK, Entry("p/out", b"", b"2", b"/tmp"), Entry("p/out/evil.py"))


@_add("link")
def tar_link_with_a_long_target() -> bytes:
    target = b"../" * 60 + b"etc/passwd\0"
    return gz_of(_OK, Entry("././@LongLink", target, b"K", magic=GNU), Entry("p/l", b"", b"2", target[:99]))


@_add("link")
def tar_link_with_its_target_in_an_extended_header() -> bytes:
    return gz_of(_OK, pax(linkpath="/etc/passwd"), Entry("p/l", b"", b"2", b"ok.py"))


@_add("special_file")
def tar_character_device() -> bytes:
    return gz_of(_OK, Entry("p/null", b"", b"3"))


@_add("special_file")
def tar_block_device() -> bytes:
    return gz_of(_OK, Entry("p/disk", b"", b"4"))


@_add("special_file")
def tar_fifo() -> bytes:
    return gz_of(_OK, Entry("p/pipe", b"", b"6"))


@_add("special_file")
def tar_volume_label() -> bytes:
    return gz_of(Entry("label", b"", b"V", magic=GNU), _OK)


@_add("special_file")
def tar_entry_of_an_unknown_type() -> bytes:
    return gz_of(_OK, Entry("p/what", b"some content", b"Z"))


@_add("setuid")
def tar_setuid() -> bytes:
    return gz_of(_OK, Entry("p/tool", mode=0o4755))


@_add("setuid")
def tar_setgid() -> bytes:
    return gz_of(_OK, Entry("p/tool", mode=0o2755))


@_add("setuid")
def tar_sticky() -> bytes:
    return gz_of(_OK, Entry("p/tool", mode=0o1755))


@_add("setuid")
def tar_mode_beyond_all_bounds() -> bytes:
    return gz_of(_OK, Entry("p/tool", mode=b"\x80" + b"\xff" * 7))


@_add("sparse")
def tar_sparse_file_of_gnu() -> bytes:
    return gz_of(_OK, Entry("p/sparse", b"", b"S", magic=GNU))


@_add("sparse")
def tar_sparse_file_by_extended_header() -> bytes:
    return gz_of(_OK, pax(GNU__sparse__major="1", GNU__sparse__name="p/a.py"), Entry("p/sparse"))


@_add("sparse")
def tar_sparse_file_by_global_header() -> bytes:
    return gz_of(pax(b"g", GNU__sparse__realsize="10"), _OK)


@_add("global_header")
def tar_global_header_that_renames() -> bytes:
    return gz_of(pax(b"g", path="../x.py"), _OK)


@_add("global_header")
def tar_global_header_with_a_size() -> bytes:
    return gz_of(pax(b"g", size="0"), _OK)


@_add("global_header")
def tar_global_header_with_a_link() -> bytes:
    return gz_of(pax(b"g", linkpath="/etc/passwd"), _OK)


@_add("escaping_path")
def tar_extended_header_that_climbs() -> bytes:
    return gz_of(_OK, pax(path="p/../../x.py"), Entry("p/a.py"))


@_add("unprintable_name")
def tar_extended_header_with_a_nul() -> bytes:
    return gz_of(_OK, pax(path=b"p/a.py\0.txt"), Entry("p/a.py"))


@_add("header_mismatch")
def tar_extended_header_with_another_size() -> bytes:
    # Where one tool skips 0 bytes and another 1,024, the second entry exists for one of them only.
    hidden = Entry("p/evil.py").raw
    return gz_of(_OK, pax(size="0"), Entry("p/a.bin", hidden))


@_add("header_mismatch")
def tar_extended_header_with_a_larger_size() -> bytes:
    return gz_of(_OK, pax(size="1024"), Entry("p/a.bin", b""), Entry("p/b.py"))


@_add("ambiguous_header")
def tar_two_extended_headers() -> bytes:
    return gz_of(_OK, pax(path="p/a.py"), pax(path="p/b.py"), Entry("p/c.py"))


@_add("ambiguous_header")
def tar_one_extended_header_with_two_paths() -> bytes:
    records = pax_record(b"path", b"p/a.py") + pax_record(b"path", b"p/b.py")
    return gz_of(_OK, Entry("x", records, b"x"), Entry("p/c.py"))


@_add("ambiguous_header")
def tar_long_name_and_extended_header() -> bytes:
    return gz_of(_OK, Entry("././@LongLink", b"p/a.py\0", b"L", magic=GNU), pax(path="p/b.py"), Entry("p/c.py"))


@_add("ambiguous_header")
def tar_extended_header_without_an_entry() -> bytes:
    return gz_of(_OK, pax(path="p/a.py"))


@_add("ambiguous_header")
def tar_prefix_behind_a_gnu_mark() -> bytes:
    return gz_of(_OK, Entry("x.py", prefix=b"../..", magic=GNU))


@_add("ambiguous_header", "link")
def tar_link_with_a_size() -> bytes:
    return gz_of(_OK, Entry("p/l", Entry("p/evil.py").raw, b"2", b"ok.py"))


@_add("ambiguous_header", "folder_with_content")
def tar_folder_with_a_size() -> bytes:
    return gz_of(_OK, Entry("p/f/", Entry("p/evil.py").raw, b"5"))


@_add("folder_with_content")
def tar_old_folder_with_content() -> bytes:
    return gz_of(_OK, Entry("p/f/", b"content", b"\0"))


@_add("ambiguous_header")
def tar_file_called_like_a_folder_by_extended_header() -> bytes:
    return gz_of(_OK, pax(path="p/f/"), Entry("p/f", b"", b"\0"))


@_add("ambiguous_header")
def tar_file_called_like_a_folder() -> bytes:
    return gz_of(_OK, Entry("p/f/", b"content", b"0"))


@_add("damaged")
def tar_extended_header_of_nonsense() -> bytes:
    return gz_of(_OK, Entry("x", b"not a record\n", b"x"), Entry("p/a.py"))


@_add("damaged")
def tar_extended_header_that_reaches_too_far() -> bytes:
    return gz_of(_OK, Entry("x", b"9999 path=a\n", b"x"), Entry("p/a.py"))


@_add("damaged")
def tar_extended_header_without_its_newline() -> bytes:
    return gz_of(_OK, Entry("x", b"11 path=abc", b"x"), Entry("p/a.py"))


@_add("long_header")
def tar_extended_header_of_300_mb() -> bytes:
    return gz_of(_OK, Entry("x", b"", b"x", size=300 * _MIB))


@_add("long_header")
def tar_long_name_of_300_mb() -> bytes:
    return gz_of(_OK, Entry("././@LongLink", b"", b"L", size=300 * _MIB, magic=GNU))


@_add("bad_number")
def tar_negative_size() -> bytes:
    return gz_of(_OK, Entry("p/a.py", b"", size=b"\xff" * 11 + b"\x00"))


@_add("damaged")
def tar_size_beyond_all_bounds() -> bytes:
    return gz_of(_OK, Entry("p/a.py", b"", size=b"\x80" + b"\xff" * 11))


@_add("bad_number")
def tar_size_that_is_no_number() -> bytes:
    return gz_of(_OK, Entry("p/a.py", b"", size=b"0000000009x"))


@_add("bad_number")
def tar_owner_that_is_no_number() -> bytes:
    # Python's own reader takes such a header for the end of the archive.
    return gz_of(_OK, Entry("p/a.py", owner=b"whoever"))


@_add("bad_number")
def tar_extended_size_that_is_no_number() -> bytes:
    return gz_of(_OK, pax(size="-5"), Entry("p/a.py"))


@_add("header_checksum")
def tar_wrong_checksum() -> bytes:
    return gz_of(_OK, Entry("p/a.py", checksum=0o1234))


@_add("damaged")
def tar_header_without_a_mark() -> bytes:
    return gz_of(_OK, Entry("p/a.py", magic=bytes(8)))


@_add("name_encoding")
def tar_name_that_is_not_utf8() -> bytes:
    return gz_of(_OK, Entry(b"p/gr\xf6\xdfe.py"))


@_add("name_encoding")
def tar_extended_name_that_is_not_utf8() -> bytes:
    return gz_of(_OK, pax(hdrcharset="BINARY", path=b"p/\xff.py"), Entry("p/a.py"))


@_add("nameless")
def tar_entry_without_a_name() -> bytes:
    return gz_of(_OK, Entry(""))


@_add("trailing_data")
def tar_entries_after_its_end() -> bytes:
    return gz_of(_OK, end=END + tar_of(Entry("p/evil.py")))


@_add("trailing_data")
def tar_entries_after_one_empty_block() -> bytes:
    return gz_of(_OK, end=bytes(512) + tar_of(Entry("p/evil.py")))


@_add("trailing_data")
def tar_plain_before_a_zip() -> bytes:
    return tar_of(_OK) + simple_zip("p/evil.py")


@_add("trailing_data")
def tar_gz_of_two_gzip_members() -> bytes:
    tar = tar_of(_OK)
    return gzip.compress(tar[:512], mtime=0) + gzip.compress(tar[512:], mtime=0)


@_add("trailing_data")
def tar_gz_before_other_data() -> bytes:
    return gz_of(_OK) + b"evil"


@_add("trailing_data")
def tar_gz_before_a_second_archive() -> bytes:
    return gz_of(_OK) + gz_of(Entry("p/evil.py"))


@_add("damaged")
def tar_without_an_end() -> bytes:
    return gz_of(_OK, end=b"")


@_add("damaged")
def tar_that_ends_in_a_content() -> bytes:
    return tar_of(_OK, Entry("p/a.py", bytes(5_000)))[:3_000]


@_add("damaged")
def tar_gz_cut_in_half() -> bytes:
    packed = gz_of(_OK, Entry("p/a.py", bytes(range(256)) * 40))
    return packed[: len(packed) // 2]


@_add("damaged")
def tar_gz_without_its_checksum() -> bytes:
    return gz_of(_OK)[:-4]


@_add("damaged")
def tar_gz_with_a_wrong_checksum() -> bytes:
    packed = gz_of(_OK)
    return packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]


@_add("damaged")
def tar_gz_with_a_wrong_length() -> bytes:
    return gz_of(_OK)[:-4] + b"\x01\0\0\0"


@_add("empty")
def tar_of_nothing() -> bytes:
    return gz_of()


@_add("too_many_files")
def tar_of_too_many_files() -> bytes:
    return gz_of(*(Entry(f"p/{index}.py", b"") for index in range(1_001)))


@_add("too_many_files", limits=ArchiveLimits(entries=50))
def tar_of_too_many_folders() -> bytes:
    return gz_of(*(Entry(f"p/{index}/", b"", b"5") for index in range(60)))


@_add("too_many_files", limits=ArchiveLimits(entries=50))
def tar_of_too_many_headers() -> bytes:
    return gz_of(*(pax(b"g", comment=str(index)) for index in range(200)), _OK)


@_add("bomb")
def tar_bomb() -> bytes:
    return gz_of(_OK, Entry("p/zeros.bin", bytes(12 * _MIB)))


@_add("bomb")
def tar_bomb_of_clutter() -> bytes:
    return gz_of(_OK, *(Entry("__MACOSX/zeros.bin", bytes(4 * _MIB)) for _ in range(4)))


@_add("bomb")
def tar_bomb_after_the_end() -> bytes:
    return gz_of(_OK, end=bytes(12 * _MIB))


@_add("too_large_unpacked", limits=ArchiveLimits(unpacked_bytes=_MIB, ratio=5_000))
def tar_that_unpacks_to_too_much() -> bytes:
    return gz_of(Entry("p/a.bin", bytes(_MIB)), Entry("p/b.bin", b"1"))


@_add("too_large", limits=ArchiveLimits(archive_bytes=1_000))
def tar_that_is_too_large() -> bytes:
    return tar_of(_OK)


@_add("unknown_format")
def packed_with_bzip2() -> bytes:
    return bz2.compress(simple_tar("p/a.py"))


@_add("unknown_format")
def packed_with_xz() -> bytes:
    return lzma.compress(simple_tar("p/a.py"))


@_add("unknown_format")
def no_archive() -> bytes:
    return b"hello\n" * 200


@_add("unknown_format")
def nothing_at_all() -> bytes:
    return b""


@_add("damaged")
def gzip_of_something_else() -> bytes:
    return gzip.compress(b"hello\n" * 200, mtime=0)


HOSTILE_TARS = tuple(_samples.all)
