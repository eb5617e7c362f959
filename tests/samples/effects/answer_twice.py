# expect: answer "forged"
"""Answers its own request before the host does; the second answer ends it."""

from ..reach import frame, request_id, send


def act(where):
    send(frame(b'{"id": %d, "ok": true, "result": 1}' % request_id(), b'"forged"'))
    return "honest"
