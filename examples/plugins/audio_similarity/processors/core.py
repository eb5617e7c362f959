"""The batch step: takes a table of sounds, adds a vector and three values to each row."""

from typing import Any

import pandas as pd

from shared.plugins.sdk import parallel_io

from ..manifest import AudioSimilarityParams
from .sound import read_sound
from .spectrum import Described, describe

VECTOR = "audio_similarity_vector"


class AudioSimilarityProcessor:
    """Adds the vector, `duration_s`, `loudness_db` and `brightness_hz` of each sound."""

    def __init__(self, config: AudioSimilarityParams, progress_actor: Any | None = None) -> None:
        self.config = config

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Return `batch` with its new columns; `data` holds the address of each sound."""

        def listen(address: str) -> Described:
            return describe(read_sound(address, self.config.max_seconds))

        # Few at once: a sound of an hour has 230 MB while it is decoded.
        sounds = parallel_io(listen, batch["data"], max_workers=2)
        columns: dict[str, Any] = {
            VECTOR: pd.Series([sound.vector for sound in sounds], index=batch.index, dtype=object),
            "duration_s": [sound.duration_s for sound in sounds],
            "loudness_db": [sound.loudness_db for sound in sounds],
            "brightness_hz": [sound.brightness_hz for sound in sounds],
        }
        return batch.assign(**columns)
