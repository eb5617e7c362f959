"""Archives to inspect: hostile ones, each with the rules that refuse it, and ordinary ones that must pass."""

from samples.archives.benign import BENIGN
from samples.archives.hostile_names import HOSTILE_NAMES
from samples.archives.hostile_tars import HOSTILE_TARS
from samples.archives.hostile_zips import HOSTILE_ZIPS
from samples.archives.sample import Sample

HOSTILE = (*HOSTILE_ZIPS, *HOSTILE_TARS, *HOSTILE_NAMES)

__all__ = ["BENIGN", "HOSTILE", "Sample"]
