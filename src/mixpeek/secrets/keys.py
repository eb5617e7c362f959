"""Where the master keys are kept: in the setting, as the operator gave them, or in a file of the data dir.

Keys are read anew for each use, so that every process goes on after another one has rotated them.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr

from mixpeek.secrets.crypto import MasterKeys, new_key
from mixpeek.secrets.errors import SecretsKeyInvalid, SecretsKeyMissing

FILE_NAME = "secrets.key"
SETTING = "MIXPEEK_SECRETS_KEY"


class GivenKeys:
    """Keys of the setting: the operator's to make and to replace."""

    place = SETTING

    def __init__(self, text: SecretStr) -> None:
        self._text = text

    def read(self) -> MasterKeys:
        """Return the keys; raise SecretsKeyInvalid."""
        return MasterKeys.parse(self._text.get_secret_value(), self.place)


class KeyFile:
    """Keys of a file that only this user can read, one a line; who changes it holds the lock of `queries.lock`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        return str(self._path)

    def read(self) -> MasterKeys:
        """Return the keys; raise SecretsKeyMissing or SecretsKeyInvalid."""
        try:
            return MasterKeys.parse(self._path.read_text(), self.place)
        except FileNotFoundError:
            raise SecretsKeyMissing(f"There is no {self.place}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SecretsKeyInvalid(f"{self.place} cannot be read ({type(error).__name__})") from None

    def create(self) -> None:
        """Make the first key; leave one that is there already."""
        if self._path.exists():
            return
        building = self._written(MasterKeys((new_key(),)))
        try:
            os.link(building, self._path)  # unlike a rename, it never replaces a key that was put there meanwhile
        except FileExistsError:
            return
        finally:
            building.unlink()
        self._sync_folder()

    def write(self, keys: MasterKeys) -> None:
        """Replace the keys; once it returns they outlast a loss of power."""
        self._written(keys).replace(self._path)
        self._sync_folder()

    def _written(self, keys: MasterKeys) -> Path:
        """Write the file beside its place; what a process that was killed left there goes first."""
        building = self._path.with_suffix(".key.building")
        building.unlink(missing_ok=True)
        with os.fdopen(os.open(building, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
            file.write("".join(f"{text}\n" for text in keys.texts))
            file.flush()
            os.fsync(file.fileno())
        return building

    def _sync_folder(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


KeySource = GivenKeys | KeyFile


def key_source(given: SecretStr | None, data_dir: Path) -> KeySource:
    """Return the setting's keys if it is set, else those of the data dir."""
    return KeyFile(data_dir / FILE_NAME) if given is None else GivenKeys(given)
