"""The plugin of batches whose rows cost next to nothing, and which misbehaves for a row that says so; and its texts."""

from __future__ import annotations

from pathlib import Path

from harness.contenders import PEERS
from peers.batch_processors import CHEAP_BATCH, CHEAP_DIMENSION

CHEAP_PLUGIN = {
    "manifest.py": f"""
metadata = {{"feature_extractor_name": "cheap", "version": "1.0.0", "description": "Lengths", "category": "text"}}
input_schema = output_schema = {{"type": "object"}}
supported_input_types = ["text"]
compute_profile = {{"batch_size": BATCH_SIZE}}
features = [{{"feature_name": "cheap_vector", "feature_type": "embedding", "embedding_dim": {CHEAP_DIMENSION},
    "distance_metric": "cosine"}}]
""",
    "pipeline.py": '''
import time

from .batch_processors import Cheap


class Moody(Cheap):
    """Cheap, but for rows that say what they do."""

    def __call__(self, batch):
        texts = batch["data"]
        if texts.str.startswith("bad ").any():
            kinds = texts.tolist()
            if "bad raise" in kinds:
                raise ValueError("not this row")
            if "bad hang" in kinds:
                time.sleep(3600)
            if "bad none" in kinds:
                return None
            if "bad drop" in kinds:
                return super().__call__(batch[texts != "bad drop"])
            batch = super().__call__(batch)
            vectors = list(batch["cheap_vector"])
            for place, kind in enumerate(kinds):
                if kind == "bad nan":
                    vectors[place] = vectors[place] * float("nan")
                if kind == "bad dimension":
                    vectors[place] = vectors[place][:3]
            batch["cheap_vector"] = vectors
            notes = {"bad nul": "\\x00", "bad large": "x" * 50_000_000}
            batch["note"] = [notes.get(kind, kind) for kind in kinds]
            return batch
        time.sleep(PAUSE_S * len(batch))
        return super().__call__(batch)


PAUSE_S = 0.0


def build_steps(extractor_request, **kwargs):
    global PAUSE_S
    PAUSE_S = float((extractor_request.parameters or {}).get("pause_s", 0.0))
    return {"steps": [Moody()]}
''',
}
FAULTS = ("raise", "hang", "none", "drop", "nan", "dimension", "nul", "large")


def write_cheap(folder: Path, batch_size: int = CHEAP_BATCH) -> Path:
    """Write the plugin below a folder, and return its own."""
    place = folder / "cheap"
    place.mkdir(parents=True)
    for name, text in CHEAP_PLUGIN.items():
        (place / name).write_text(text.replace("BATCH_SIZE", str(batch_size)))
    (place / "batch_processors.py").write_text((PEERS / "batch_processors.py").read_text())
    return place


def texts_of(rows: int) -> list[str]:
    """Return so many short texts."""
    return [f"row {place} of a batch of short texts, {place * 7919 % 1000} of them alike" for place in range(rows)]
