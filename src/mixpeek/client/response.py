"""What the client returns: the server's JSON as it came, its keys readable as attributes too."""

from __future__ import annotations

import json
from typing import Any


class Response(dict[str, Any]):
    """A JSON object: `answer["task_id"]` and `answer.task_id` are the same, at every depth."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the answer has no {name!r}; it has {', '.join(self) or 'nothing'}") from None


def responses_from(content: bytes | str) -> list[Response]:
    """Return the JSON objects of the list in `content`; raise ValueError if it holds anything else."""
    values = json.loads(content, object_hook=Response)
    if not isinstance(values, list) or not all(isinstance(value, Response) for value in values):
        raise ValueError("the answer is not a list of JSON objects")
    return values


def response_from(content: bytes | str) -> Response:
    """Return the JSON object in `content`; raise ValueError if it holds anything else."""
    value = json.loads(content, object_hook=Response)
    if not isinstance(value, Response):
        raise ValueError("the answer is not a JSON object")  # noqa: TRY004 - one error for every unusable answer
    return value
