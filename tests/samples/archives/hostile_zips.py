"""Zip files that lie, hide something, or hold what no plugin needs."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

from mixpeek.inspection.limits import ArchiveLimits
from samples.archives.sample import Samples
from samples.archives.tar_parts import simple_tar
from samples.archives.zip_parts import (
    DATA_DESCRIPTOR,
    STORED,
    UTF8,
    Entry,
    central_part,
    deflate,
    end_part,
    extra,
    local_part,
    simple_zip,
    zip_of,
)

_samples = Samples()
_add = _samples.add

_OK = Entry("p/ok.py")
_CONTENT = b"x = 1\n" * 50
_MIB = 1024 * 1024


@_add("link")
def zip_symbolic_link() -> bytes:
    return zip_of(_OK, Entry("p/passwd", b"/etc/passwd", attributes=0o120777 << 16))


@_add("link")
def zip_reparse_point() -> bytes:
    return zip_of(_OK, Entry("p/junction", b"C", attributes=0x400, made_on=0))


@_add("special_file")
def zip_device() -> bytes:
    return zip_of(_OK, Entry("p/null", b"", STORED, attributes=0o020666 << 16))


@_add("special_file")
def zip_fifo() -> bytes:
    return zip_of(_OK, Entry("p/pipe", b"", STORED, attributes=0o010644 << 16))


@_add("special_file")
def zip_socket() -> bytes:
    return zip_of(_OK, Entry("p/socket", b"", STORED, attributes=0o140644 << 16))


@_add("setuid")
def zip_setuid() -> bytes:
    return zip_of(_OK, Entry("p/tool", attributes=0o104755 << 16))


@_add("setuid")
def zip_setgid() -> bytes:
    return zip_of(_OK, Entry("p/tool", attributes=0o102755 << 16))


@_add("setuid")
def zip_sticky() -> bytes:
    return zip_of(_OK, Entry("p/tool", attributes=0o101644 << 16))


@_add("folder_with_content")
def zip_folder_with_content() -> bytes:
    return zip_of(_OK, Entry("p/folder/", b"hidden"))


@_add("ambiguous_header")
def zip_folder_by_its_mode_with_content() -> bytes:
    return zip_of(_OK, Entry("p/folder", b"hidden", attributes=0o040755 << 16))


@_add("nameless")
def zip_entry_without_a_name() -> bytes:
    return zip_of(_OK, Entry(""))


@_add("unprintable_name")
def zip_name_with_a_nul() -> bytes:
    return zip_of(_OK, Entry(b"p/a.py\0.txt"))


@_add("name_encoding")
def zip_name_in_code_page_437() -> bytes:
    return zip_of(_OK, Entry(b"p/gr\x94\xe1e.py", flags=0))


@_add("name_encoding")
def zip_name_in_utf8_without_the_flag() -> bytes:
    return zip_of(_OK, Entry("p/größe.py", flags=0, made_on=0))


@_add("name_encoding")
def zip_name_marked_as_utf8_that_is_not() -> bytes:
    return zip_of(_OK, Entry(b"p/\xff\xfe.py", flags=UTF8))


@_add("encrypted")
def zip_encrypted() -> bytes:
    return zip_of(_OK, Entry("p/a.py", flags=1))


@_add("encrypted")
def zip_strongly_encrypted() -> bytes:
    return zip_of(_OK, Entry("p/a.py", flags=0x41))


@_add("encrypted")
def zip_encrypted_with_aes() -> bytes:
    return zip_of(_OK, Entry("p/a.py", method=99, extra=extra(0x9901, b"\x02\0AE\x03\x08\0")))


@_add("encrypted")
def zip_with_masked_headers() -> bytes:
    return zip_of(_OK, Entry("p/a.py", flags=0x2000))


@_add("compression")
def zip_packed_with_lzma() -> bytes:
    return zip_of(_OK, Entry("p/a.py", method=14))


@_add("compression")
def zip_packed_with_deflate64() -> bytes:
    return zip_of(_OK, Entry("p/a.py", method=9))


@_add("compression")
def zip_of_patches() -> bytes:
    return zip_of(_OK, Entry("p/a.py", flags=0x20))


@_add("encrypted", "compression", "link", "absolute_path")
def zip_with_several_faults() -> bytes:
    entries = (Entry("p/a", flags=1), Entry("p/b", method=12), Entry("p/c", attributes=0o120777 << 16), Entry("/d"))
    return zip_of(*entries)


@_add("header_mismatch")
def zip_other_name_in_the_local_header() -> bytes:
    return zip_of(_OK, Entry("p/a.py", local={"name": "../x.y"}))


@_add("header_mismatch")
def zip_other_method_in_the_local_header() -> bytes:
    return zip_of(_OK, Entry("p/a.py", b"x", STORED, local={"method": 8, "packed": b"x"}))


@_add("header_mismatch")
def zip_other_checksum_in_the_local_header() -> bytes:
    return zip_of(_OK, Entry("p/a.py", local={"crc": 1}))


@_add("header_mismatch")
def zip_other_size_in_the_local_header() -> bytes:
    return zip_of(_OK, Entry("p/a.py", local={"size": 1_000}))


@_add("header_mismatch")
def zip_other_packed_size_in_the_local_header() -> bytes:
    return zip_of(_OK, Entry("p/a.py", local={"packed_size": 3}))


@_add("header_mismatch")
def zip_other_flags_in_the_local_header() -> bytes:
    return zip_of(_OK, Entry("p/a.py", local={"flags": 1}))


@_add("header_mismatch")
def zip_utf8_flag_in_the_local_header_only() -> bytes:
    return zip_of(_OK, Entry("p/a.py", local={"flags": UTF8}))


@_add("header_mismatch", "hidden_data")
def zip_descriptor_in_the_local_header_only() -> bytes:
    return zip_of(_OK, Entry("p/a.py", local={"flags": DATA_DESCRIPTOR}))


@_add("hidden_data")
def zip_descriptor_missing() -> bytes:
    return zip_of(_OK, Entry("p/a.py", flags=DATA_DESCRIPTOR, descriptor=b""))


@_add("header_mismatch")
def zip_descriptor_that_lies() -> bytes:
    lie = struct.pack("<4s3L", b"PK\x07\x08", 1, 2, 3)
    return zip_of(_OK, Entry("p/a.py", flags=DATA_DESCRIPTOR, descriptor=lie))


@_add("header_mismatch")
def zip_descriptor_without_its_mark_and_too_long() -> bytes:
    return zip_of(_OK, Entry("p/a.py", flags=DATA_DESCRIPTOR, descriptor=bytes(16)))


@_add("header_mismatch")
def zip_smaller_than_it_claims() -> bytes:
    return zip_of(_OK, Entry("p/a.py", _CONTENT, size=1_000_000))


@_add("header_mismatch")
def zip_larger_than_it_claims() -> bytes:
    return zip_of(_OK, Entry("p/a.py", bytes(500_000), size=10))


@_add("header_mismatch")
def zip_stored_with_two_sizes() -> bytes:
    return zip_of(_OK, Entry("p/a.py", b"x = 1\n", STORED, size=3))


@_add("damaged")
def zip_wrong_checksum() -> bytes:
    return zip_of(_OK, Entry("p/a.py", crc=7))


@_add("damaged")
def zip_content_that_cannot_be_inflated() -> bytes:
    return zip_of(_OK, Entry("p/a.py", packed=b"\xff" * 20))


@_add("damaged")
def zip_content_that_ends_early() -> bytes:
    return zip_of(_OK, Entry("p/a.py", _CONTENT, packed=deflate(_CONTENT)[:-4]))


@_add("damaged", "escaping_path")
def zip_damaged_member_and_a_bad_name() -> bytes:
    return zip_of(Entry("p/a.py", crc=7), Entry("../x.py"))


@_add("hidden_data")
def zip_bytes_after_a_deflate_stream() -> bytes:
    return zip_of(_OK, Entry("p/a.py", _CONTENT, packed=deflate(_CONTENT) + b"hidden"))


@_add("hidden_data")
def zip_long_bytes_after_a_deflate_stream() -> bytes:
    return zip_of(_OK, Entry("p/a.py", _CONTENT, packed=deflate(_CONTENT) + bytes(200_000)))


@_add("hidden_data")
def zip_bytes_before_the_directory() -> bytes:
    return zip_of(_OK, Entry("p/a.py"), between=b"hidden")


@_add("hidden_data")
def zip_member_the_directory_does_not_name() -> bytes:
    return zip_of(_OK, hidden=[Entry("p/evil.py")])


@_add("hidden_data")
def zip_members_and_an_empty_directory() -> bytes:
    return zip_of(hidden=[Entry("p/evil.py")])


@_add("hidden_data")
def zip_bytes_between_directory_and_end() -> bytes:
    return zip_of(_OK, gap=b"hidden")


@_add("leading_data")
def zip_after_another_zip_with_offsets_of_its_own() -> bytes:
    return simple_zip("p/first.py") + simple_zip("p/second.py")


@_add("leading_data")
def zip_after_a_script() -> bytes:
    return b"#!/bin/sh\nexec evil\n" + zip_of(_OK)


@_add("leading_data")
def zip_after_a_script_with_right_offsets() -> bytes:
    return zip_of(_OK, before=b"#!/bin/sh\nexec evil\n")


@_add("leading_data")
def zip_behind_another_zip_with_right_offsets() -> bytes:
    return zip_of(_OK, before=simple_zip("p/first.py"))


@_add("leading_data")
def zip_inside_of_what_looks_like_a_zip() -> bytes:
    return zip_of(_OK, before=b"PK\x05\x06 and more")


@_add("trailing_data")
def zip_before_other_data() -> bytes:
    return zip_of(_OK, after=b"<script>evil</script>")


@_add("trailing_data")
def zip_before_zeros() -> bytes:
    return zip_of(_OK, after=bytes(100))


@_add("trailing_data")
def zip_before_a_tar() -> bytes:
    return zip_of(_OK, after=simple_tar("p/other.py"))


@_add("comment")
def zip_with_a_zip_as_its_comment() -> bytes:
    return zip_of(_OK, comment=simple_zip("p/other.py"))


@_add("comment")
def zip_with_an_end_record_in_its_comment() -> bytes:
    return zip_of(_OK, comment=b"hello PK\x05\x06 there")


@_add("comment")
def zip_with_a_binary_comment() -> bytes:
    return zip_of(_OK, comment=b"\x7fELF\x02\x01\x01\0")


@_add("comment")
def zip_with_a_binary_comment_on_an_entry() -> bytes:
    return zip_of(Entry("p/a.py", comment=b"\x1b[2Jgone"))


@_add("overlap")
def zip_members_that_share_a_content() -> bytes:
    # As in a zip bomb that quotes one packed content many times.
    first = Entry("p/a.py", _CONTENT)
    part = local_part(first)
    directory = b"".join(central_part(replace(first, name=f"p/{letter}.py"), 0) for letter in "abc")
    return part + directory + end_part(3, len(directory), len(part))


@_add("overlap")
def zip_bomb_that_quotes_local_headers() -> bytes:
    inner = Entry("p/b.py", _CONTENT)
    quoted = local_part(inner)
    body = b"\0" + struct.pack("<HH", len(quoted), len(quoted) ^ 0xFFFF) + deflate(_CONTENT)
    outer = Entry("p/a.py", quoted + _CONTENT, packed=body[:5] + quoted + deflate(_CONTENT))
    part = local_part(outer)
    at = part.index(quoted)
    part = part[: at + len(quoted)]
    directory = central_part(outer, 0) + central_part(inner, at)
    return part + directory + end_part(2, len(directory), len(part))


@_add("overlap")
def zip_members_out_of_order() -> bytes:
    return zip_of(_OK, Entry("p/a.py"), Entry("p/b.py"), reverse=True)


@_add("overlap")
def zip_packed_size_that_reaches_into_the_next() -> bytes:
    return zip_of(Entry("p/a.py", packed_size=200), _OK)


@_add("overlap")
def zip_local_name_that_reaches_into_the_next() -> bytes:
    first = local_part(Entry("p/a.py"))
    lie = first[:26] + struct.pack("<H", 60) + first[28:]
    rest = local_part(_OK)
    directory = central_part(Entry("p/a.py"), 0) + central_part(_OK, len(lie))
    return lie + rest + directory + end_part(2, len(directory), len(lie + rest))


@_add("renaming_extra")
def zip_unicode_path_that_renames() -> bytes:
    path = extra(0x7075, b"\x01" + zlib.crc32(b"p/a.py").to_bytes(4, "little") + b"p/../../x.py")
    return zip_of(_OK, Entry("p/a.py", extra=path))


@_add("renaming_extra")
def zip_unicode_path_in_the_local_header_only() -> bytes:
    path = extra(0x7075, b"\x01" + zlib.crc32(b"p/a.py").to_bytes(4, "little") + b"p/b.py")
    return zip_of(_OK, Entry("p/a.py", local={"extra": path}))


@_add("extra_field")
def zip_unicode_path_twice() -> bytes:
    path = extra(0x7075, b"\x01" + zlib.crc32(b"p/a.py").to_bytes(4, "little") + b"p/a.py")
    return zip_of(_OK, Entry("p/a.py", extra=path * 2))


@_add("extra_field")
def zip_extra_field_that_ends_early() -> bytes:
    return zip_of(_OK, Entry("p/a.py", extra=struct.pack("<HH", 0x5455, 500)))


@_add("zip64")
def zip_zip64_sizes_missing() -> bytes:
    return zip_of(_OK, Entry("p/a.py", size=0xFFFFFFFF))


@_add("overlap")
def zip_zip64_sizes_that_lie() -> bytes:
    wide = extra(1, struct.pack("<2Q", 1 << 40, 1 << 40))
    return zip_of(_OK, Entry("p/a.py", size=0xFFFFFFFF, packed_size=0xFFFFFFFF, extra=wide))


@_add("zip64")
def zip_zip64_announced_and_missing() -> bytes:
    return zip_of(_OK, count=0xFFFF, here=0xFFFF)


@_add("zip64")
def zip_zip64_record_that_disagrees() -> bytes:
    return _with_zip64(count=2)


@_add("zip64")
def zip_zip64_locator_that_points_elsewhere() -> bytes:
    return _with_zip64(record_at=3)


@_add("zip64")
def zip_zip64_record_of_another_length() -> bytes:
    return _with_zip64(length=60)


def _with_zip64(count: int = 1, record_at: int | None = None, length: int = 44) -> bytes:
    part, directory = local_part(_OK), central_part(_OK, 0)
    at = len(part) + len(directory)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", length, 45, 45, 0, 0, count, count, len(directory), len(part))
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at if record_at is None else record_at, 1)
    return part + directory + record + locator + end_part(1, len(directory), len(part))


@_add("multi_disk")
def zip_of_several_disks() -> bytes:
    return zip_of(_OK, disk=1, start_disk=1)


@_add("multi_disk")
def zip_with_entries_on_another_disk() -> bytes:
    return zip_of(_OK, Entry("p/a.py", disk=3))


@_add("multi_disk")
def zip_with_part_of_the_directory_elsewhere() -> bytes:
    return zip_of(_OK, here=1, count=9)


@_add("multi_disk")
def zip_with_the_mark_of_a_split_file() -> bytes:
    return zip_of(_OK, before=b"PK\x07\x08")


@_add("header_mismatch")
def zip_that_counts_too_few_entries() -> bytes:
    return zip_of(_OK, Entry("p/a.py"), here=1, count=1)


@_add("header_mismatch")
def zip_that_counts_too_many_entries() -> bytes:
    return zip_of(_OK, here=5, count=5)


@_add("too_many_files")
def zip_that_claims_very_many_entries() -> bytes:
    return zip_of(_OK, here=60_000, count=60_000)


@_add("damaged")
def zip_directory_beyond_the_end() -> bytes:
    return zip_of(_OK, size=1_000_000)


@_add("damaged")
def zip_directory_elsewhere() -> bytes:
    return zip_of(_OK, Entry("p/a.py"), at=0xFFFFFFFE)


@_add("damaged")
def zip_entry_offset_elsewhere() -> bytes:
    part = local_part(_OK)
    directory = central_part(_OK, 0)
    return b"PK\x03\x05" + part[4:] + directory + end_part(1, len(directory), len(part))


@_add("damaged")
def zip_cut_in_half() -> bytes:
    whole = zip_of(_OK, Entry("p/a.py", bytes(range(256)) * 8))
    return whole[: len(whole) // 2]


@_add("damaged")
def zip_cut_in_its_end_record() -> bytes:
    return zip_of(_OK)[:-5]


@_add("damaged")
def zip_cut_in_its_comment() -> bytes:
    return zip_of(_OK, comment=b"a comment of some length")[:-5]


@_add("empty")
def zip_of_nothing() -> bytes:
    return zip_of()


@_add("empty")
def zip_of_folders() -> bytes:
    return zip_of(Entry("p/", b"", STORED, attributes=0o40755 << 16))


@_add("empty")
def zip_of_clutter() -> bytes:
    return simple_zip("__MACOSX/p/._a.py", "p/.DS_Store")


@_add("too_many_files")
def zip_of_too_many_files() -> bytes:
    return zip_of(*(Entry(f"p/{index}.py", b"", STORED) for index in range(1_001)))


@_add("too_many_files", limits=ArchiveLimits(entries=50))
def zip_of_too_many_folders() -> bytes:
    return zip_of(*(Entry(f"p/{index}/", b"", STORED, attributes=0o40755 << 16) for index in range(60)))


@_add("too_many_files", limits=ArchiveLimits(entries=200))
def zip_of_too_many_folders_on_the_way() -> bytes:
    return zip_of(*(Entry(f"p/{index}/" + "x/" * 60 + "y.py", b"", STORED) for index in range(5)))


@_add("bomb")
def zip_bomb() -> bytes:
    return zip_of(_OK, Entry("p/zeros.bin", bytes(12 * _MIB)))


@_add("bomb", limits=ArchiveLimits(ratio_from_bytes=_MIB))
def zip_bomb_of_many_parts() -> bytes:
    packed = deflate(bytes(100_000))
    return zip_of(*(Entry(f"p/{index}.bin", bytes(100_000), packed=packed) for index in range(30)))


@_add("too_large_unpacked", limits=ArchiveLimits(unpacked_bytes=_MIB, ratio=5_000))
def zip_that_unpacks_to_too_much() -> bytes:
    return zip_of(Entry("p/a.bin", bytes(_MIB)), Entry("p/b.bin", b"1"))


@_add("too_large", limits=ArchiveLimits(archive_bytes=1_000))
def zip_that_is_too_large() -> bytes:
    return zip_of(Entry("p/a.bin", bytes(2_000), STORED))


HOSTILE_ZIPS = tuple(_samples.all)
