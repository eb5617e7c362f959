"""Who answers plugins that ask for files, secrets or a language model while they are tried on an author's machine."""

from __future__ import annotations

import os
from pathlib import Path

from mixpeek.broker.llm import language_model
from mixpeek.broker.local import LocalBroker
from mixpeek.errors import SettingInvalid

_DEFAULT_TIMEOUT_S = 60.0


def author_broker(samples: Path | None = None) -> LocalBroker:
    """Return a broker for hosts of an author: with files in the folder `samples`, if rows are run.

    The variables of the language model are the server's own settings; its settings class is not installed here.
    """
    environ = os.environ
    try:
        timeout_s = float(environ.get("MIXPEEK_LLM_TIMEOUT_S") or _DEFAULT_TIMEOUT_S)
    except ValueError:
        raise SettingInvalid("MIXPEEK_LLM_TIMEOUT_S is not a number of seconds", hint="Correct or unset it") from None
    model = language_model(environ.get("MIXPEEK_LLM_URL"), environ.get("MIXPEEK_LLM_MODEL"), timeout_s)
    return LocalBroker(samples, environ, model, environ.get("MIXPEEK_LLM_SECRET"))
