"""Hostile names and kinds of entries, which both formats can carry."""

from __future__ import annotations

from collections.abc import Callable

from samples.archives import tar_parts, zip_parts
from samples.archives.sample import Sample

_OK = "p/ok.py"

# Each with the last words of its rule; every one is built as a zip and as a tar.
_NAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "absolute": ("absolute_path", ("/etc/cron.d/x",)),
    "double_slash": ("absolute_path", ("//server/share/x.py",)),
    "drive": ("absolute_path", ("C:/windows/x.py",)),
    "drive_relative": ("absolute_path", ("c:x.py",)),
    "unc": ("backslash", ("\\\\server\\share\\x.py",)),
    "backslashes": ("backslash", ("p\\..\\..\\x.py",)),
    "climbing": ("escaping_path", ("../x.py",)),
    "climbing_inside": ("escaping_path", ("p/../../x.py",)),
    "climbing_and_back": ("escaping_path", ("p/a/../b.py",)),
    "climbing_at_the_end": ("escaping_path", ("p/..",)),
    "device": ("reserved_name", ("p/CON",)),
    "device_with_ending": ("reserved_name", ("p/nul.py",)),
    "device_with_endings": ("reserved_name", ("p/Aux.tar.gz",)),
    "device_folder": ("reserved_name", ("p/prn/x.py",)),
    "device_port": ("reserved_name", ("p/com1.txt",)),
    "device_superscript": ("reserved_name", ("p/LPT¹.py",)),
    "device_console": ("reserved_name", ("p/CONIN$",)),
    "device_and_space": ("reserved_name", ("p/con .py",)),
    "trailing_dot": ("trailing_dot", ("p/manifest.py.",)),
    "trailing_space": ("trailing_dot", ("p/manifest.py ",)),
    "trailing_dots_folder": ("trailing_dot", ("p/.../x.py",)),
    "stream": ("colon", ("p/manifest.py::$DATA",)),
    "escape_sequence": ("unprintable_name", ("p/\x1b[31mred.py",)),
    "newline": ("unprintable_name", ("p/a\nb.py",)),
    "delete": ("unprintable_name", ("p/a\x7f.py",)),
    "control_beyond_ascii": ("unprintable_name", ("p/a\x9b31m.py",)),
    "right_to_left": ("unprintable_name", ("p/\u202eyp.exe",)),
    "isolate": ("unprintable_name", ("p/\u2066a\u2069.py",)),
    "zero_width_joiner": ("unprintable_name", ("p/mani\u200dfest.py",)),
    "byte_order_mark": ("unprintable_name", ("p/\ufeffa.py",)),
    "variation_selector": ("unprintable_name", ("p/a\ufe0f.py",)),
    "hangul_filler": ("unprintable_name", ("p/a\u3164.py",)),
    "line_separator": ("unprintable_name", ("p/a\u2028b.py",)),
    "long_part": ("long_name", ("p/" + "x" * 256,)),
    "long_part_in_bytes": ("long_name", ("p/" + "é" * 128,)),
    "long_path": ("long_name", ("p/" + "x/" * 600 + "y.py",)),
    "deep": ("too_deep", ("p/" + "x/" * 100 + "y.py",)),
    "twice": ("duplicate", ("p/a.py", "p/a.py")),
    "twice_by_dots": ("duplicate", ("p/a.py", "p/./a.py")),
    "twice_by_slashes": ("duplicate", ("p/a.py", "p//a.py")),
    "case": ("case_collision", ("p/a.py", "p/A.py")),
    "case_of_a_folder": ("case_collision", ("p/a/x.py", "p/A/y.py")),
    "case_beyond_ascii": ("case_collision", ("p/straße.py", "p/STRASSE.py")),
    "composition": ("case_collision", ("p/é.py", "p/e\u0301.py")),
    "ligature": ("case_collision", ("p/file.py", "p/ﬁle.py")),
    "full_width": ("case_collision", ("p/os.py", "p/ｏｓ.py")),
    "kelvin": ("case_collision", ("p/k.py", "p/\u212a.py")),
    "file_then_folder": ("file_and_folder", ("p/a", "p/a/b.py")),
    "folder_then_file": ("file_and_folder", ("p/a/b.py", "p/a")),
    "two_folders": ("several_folders", ("q/x.py",)),
}


def _zip(names: tuple[str, ...]) -> Callable[[], bytes]:
    return lambda: zip_parts.simple_zip(_OK, *names)


def _tar(names: tuple[str, ...]) -> Callable[[], bytes]:
    def build() -> bytes:
        entries = [tar_parts.Entry(_OK)]
        for name in names:
            if len(name.encode()) > 100:
                entries.append(tar_parts.pax(path=name))
            entries.append(tar_parts.Entry(name.encode()[:100], b"y = 2\n"))
        return tar_parts.gz_of(*entries)

    return build


def _samples() -> list[Sample]:
    made = []
    for label, (rule, names) in _NAMES.items():
        rules = frozenset({f"archive.{rule}"})
        made.append(Sample(f"zip_name_{label}", _zip(names), rules))
        made.append(Sample(f"tar_name_{label}", _tar(names), rules))
    return made


HOSTILE_NAMES = tuple(_samples())
