"""One socket to one host: requests pipelined and matched by id, a clock on the call that is running.

A host carries calls out in order, so a call's time starts when the one before it was answered, not when it was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from mixpeek.errors import (
    InvalidRequest,
    MixpeekError,
    PluginCrashed,
    PluginError,
    PluginReplyInvalid,
    PluginTimedOut,
    ServiceUnavailable,
)
from mixpeek.execution.asks.veil import Veil
from mixpeek.execution.port import Awaiting, Reply
from mixpeek.execution.prompt import Lingerer, write_now
from mixpeek.execution.replies import error_from
from mixpeek.host.frames import (
    MAX_BODY_BYTES,
    MAX_REPLY_BYTES,
    FrameInvalid,
    FrameReader,
    FrameTooLarge,
    check_reply_header,
    encode,
    frame,
)
from mixpeek.host.patience import MOST_KEPT_WAITING

Answer = Reply

_INFER = b'{"id":%d,"verb":"infer"}'
_LONE = b'{"id":%d,"verb":"infer","lone":true}'
_ALONE = b'{"id":%d,"verb":"infer","alone":true}'

# Requests written for one host that it has not read yet; more wait elsewhere, or nowhere.
MAX_UNREAD_BYTES = 256 * 1024**2
MAX_WAITING_CALLS = 4096
# What the reply to a call may bring beside its header, in bytes: a table, or a result as JSON; nothing otherwise.
_BODIES = {"run": MAX_BODY_BYTES, "infer": MAX_REPLY_BYTES}

# What to do about a call that ran out of time.
_REPAIRS = {
    "warmup": "Load less before the first call, or raise `start_timeout_s` in serve_config",
    "health": "Start again; if the machine is slow, raise `start_timeout_s` in serve_config",
    "predict": "Do the slow part once and keep it, or raise `timeout_s` in serve_config",
    "infer": "Do the slow part once and keep it, or raise `timeout_s` in serve_config",
    "run": "Do the slow part once and keep it, or raise `timeout_s` in compute_profile",
}


@dataclass(slots=True)
class _Call:
    verb: str
    timeout_s: float
    answer: Awaiting


class Connection(asyncio.Protocol):
    """The protocol on the server's end; `on_broken` is told once, with the reason the host must be killed for."""

    def __init__(self, on_broken: Callable[[PluginError], None], veil: Veil | None = None) -> None:
        self._on_broken = on_broken
        self._veil = veil or Veil()
        self._reader = FrameReader(is_reply=True)
        self._reader.max_body_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._next_id = 0
        self._last_begun = 0
        self._calls: dict[int, _Call] = {}
        self._probes: dict[int, _Call] = {}
        self._bodies_due = dict.fromkeys(_BODIES, 0)
        self._running_since = 0.0
        self._kept_waiting_s: Callable[[], float] | None = None
        self._kept_waiting_before_s = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._fd = -1
        self._lingerer = Lingerer()
        self._end: MixpeekError | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own classes do not inherit from it
        own = transport.get_extra_info("socket")
        self._fd = -1 if own is None else own.fileno()

    def data_received(self, data: bytes | memoryview) -> None:
        """Match replies to the calls that wait for them."""
        if self._end is not None:
            return
        try:
            self._refuse_unasked()
            for reply, body in self._reader.feed(data):
                self._settle(reply, body)
        except FrameInvalid as error:  # too large as well: our own program in the host would have said so
            self._break(PluginReplyInvalid(f"The plugin's host broke the protocol: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Report the end; who watches the process knows how it died."""
        self._fd = -1
        if self._end is None:
            self._on_broken(PluginCrashed("The plugin's host closed its socket"))

    def allow_for(self, kept_waiting_s: Callable[[], float]) -> None:
        """Have calls last longer by how much this grows meanwhile: the seconds the host could not run, though it would.

        For a host that stands back behind others: on a busy machine it is late without being slow.
        """
        self._kept_waiting_s = kept_waiting_s
        self._kept_waiting_before_s = kept_waiting_s()

    def wait_apart_from(self, pid: int) -> None:
        """Keep a processor for the process that answers, on this machine, while it is waited for on the spot."""
        self._lingerer = Lingerer(apart_from=pid)

    @property
    def is_open(self) -> bool:
        """Whether calls can still be made."""
        return self._end is None and self._transport is not None

    @property
    def ended(self) -> str | None:
        """Why calls can no longer be made, None while they can."""
        return None if self._end is None else self._end.named

    def ask(self, verb: str, fields: dict[str, Any], body: bytes, timeout_s: float) -> asyncio.Future[Answer]:
        """Send a request and return the future of its (result, body)."""
        answer: asyncio.Future[Answer] = self._loop.create_future()
        if self._end is not None:
            answer.set_exception(self._refusal(self._end))
            return answer
        if self._is_choked(len(body)):
            answer.set_exception(_choked())
            return answer
        self._next_id += 1
        frame = encode({"id": self._next_id, "verb": verb, **fields}, body)
        call = _Call(verb, timeout_s, answer)
        if verb == "health":
            if not self._calls:
                self._reader.max_body_bytes = 0
            self._probes[self._next_id] = call
            self._loop.call_later(timeout_s, self._expire_probe, self._next_id, self._loop.time())
            self._send(frame)
        else:
            self._begin(call, frame)
        return answer

    def post(self, body: bytes, answer: Awaiting, *, alone: bool, timeout_s: float) -> None:
        """Send an inference request, `body` being its JSON; `answer` is told how many shared the call, and the result.

        The hot path: no future of its own, and a header that needs no encoder.
        """
        if self._end is not None:
            answer.set_exception(self._refusal(self._end))
            return
        if self._is_choked(len(body)):
            # Not from within this call: who hears it may post the next one.
            self._loop.call_soon(answer.set_exception, _choked())
            return
        self._next_id += 1
        # Who is asked by one caller at a time may wait for it in another way.
        head = _ALONE if alone else _INFER if self._calls else _LONE
        try:
            whole = frame(head % self._next_id, body)
        except FrameTooLarge as error:
            refused = InvalidRequest(f"The request cannot be handed to the plugin: {error}", hint="Send less at once")
            self._loop.call_soon(answer.set_exception, refused)
            return
        self._begin(_Call("infer", timeout_s, answer), whole)

    def _begin(self, call: _Call, frame: bytes) -> None:
        is_next, most = not self._calls, _BODIES.get(call.verb, 0)
        now = self._loop.time()
        if is_next:
            self._start_clock(now)
        self._calls[self._next_id] = call
        self._last_begun = self._next_id
        if most:
            self._bodies_due[call.verb] += 1
        if is_next or most > self._reader.max_body_bytes:
            self._reader.max_body_bytes = most
        self._arm(now, call.timeout_s)
        self._send(frame)

    def _send(self, frame: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            if self._fd >= 0 and len(self._calls) == 1:
                write_now(self._transport, self._fd, frame)  # the host has nothing else to do
            else:
                self._transport.write(frame)  # what it is busy with comes first

    def linger(self) -> None:
        """Wait on the spot, for a moment at most, for the reply to the one call under way."""
        transport = self._transport
        if len(self._calls) == 1 and self._fd >= 0 and transport is not None and not transport.is_closing():
            self._lingerer.read(self._fd, self._hear)

    def _hear(self, data: memoryview) -> bool:
        self.data_received(data)
        return not self._calls

    def fail(self, end: MixpeekError) -> None:
        """Refuse every call, now and later, with this error."""
        self._end = self._end or end
        if self._watch is not None:
            self._watch.cancel()
        calls = (*self._calls.values(), *self._probes.values())
        self._calls.clear()
        self._probes.clear()
        if self._transport is not None:
            self._transport.abort()
        for call in calls:
            if not call.answer.done():
                call.answer.set_exception(self._refusal(end))

    @staticmethod
    def _refusal(end: MixpeekError) -> MixpeekError:
        return type(end)(end.message, **end.details)

    @property
    def running_call(self) -> tuple[int, float] | None:
        """The call being carried out, as its id and time limit; None while nobody waits. Safe from any thread."""
        try:
            identifier, call = next(iter(self._calls.items()))
        except (StopIteration, RuntimeError):  # RuntimeError: the loop's thread changed the table meanwhile
            return None
        return identifier, call.timeout_s

    @property
    def calls_begun(self) -> int:
        """The number of the call begun last; safe from any thread."""
        return self._last_begun

    def _is_choked(self, more_bytes: int) -> bool:
        if self._transport is None or len(self._calls) >= MAX_WAITING_CALLS:
            return self._transport is not None
        unread = self._transport.get_write_buffer_size()
        return unread > 0 and unread + more_bytes > MAX_UNREAD_BYTES

    def _settle(self, reply: dict[str, Any], body: bytes) -> None:
        identifier = reply.get("id")
        if type(identifier) is not int:
            raise FrameInvalid("a reply without an id")
        call = self._probes.pop(identifier, None)
        if call is None:
            call = self._take_running(identifier, body)
        if call.answer.done():
            return  # whoever asked has gone away
        if reply.get("ok") is True:
            call.answer.set_result((reply.get("result"), body))
        else:
            call.answer.set_exception(error_from(reply, self._veil.cover))

    def _refuse_unasked(self) -> None:
        if not self._calls and not self._probes:
            raise FrameInvalid("it sent something that nobody asked for")

    def _note_body(self, verb: str) -> None:
        """Note that a body has come; the last of its kind lowers what may come, where anything may."""
        due = self._bodies_due
        due[verb] -= 1
        if not due[verb] and (self._calls or self._probes):
            self._reader.max_body_bytes = max((_BODIES[each] for each in due if due[each]), default=0)

    def _take_running(self, identifier: int, body: bytes) -> _Call:
        """Return the call that a reply is for; calls are carried out in order, so it must be the first."""
        if next(iter(self._calls), None) != identifier:
            raise FrameInvalid("a reply to a request that does not wait for one now")
        call = self._calls[identifier]
        if call.verb == "infer":
            check_reply_header(body)
        del self._calls[identifier]
        self._start_clock(self._loop.time())
        if call.verb in _BODIES:
            self._note_body(call.verb)
        return call

    def _start_clock(self, now: float) -> None:
        self._running_since = now
        if self._kept_waiting_s is not None:
            self._kept_waiting_before_s = self._kept_waiting_s()

    def _allowance_s(self, call: _Call) -> float:
        if self._kept_waiting_s is None:
            return 0.0
        kept = self._kept_waiting_s() - self._kept_waiting_before_s
        return min(max(0.0, kept), MOST_KEPT_WAITING * call.timeout_s)

    def _arm(self, now: float, timeout_s: float) -> None:
        """Watch the running call with one timer that looks again, rather than one timer per call."""
        if self._watch is None:
            self._watch = self._loop.call_later(timeout_s, self._check_running)
        elif self._watch.when() > now + timeout_s:
            self._watch.cancel()
            self._watch = self._loop.call_later(timeout_s, self._check_running)

    def _check_running(self) -> None:
        self._watch = None
        if not self._calls:
            return
        identifier, call = next(iter(self._calls.items()))
        left = self._running_since + call.timeout_s + self._allowance_s(call) - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._check_running)
            return
        self._expire(self._calls.pop(identifier))

    def _expire_probe(self, identifier: int, asked_at: float) -> None:
        call = self._probes.get(identifier)
        if call is None:
            return
        left = asked_at + call.timeout_s + self._allowance_s(call) - self._loop.time()
        if left > 0:
            self._loop.call_later(left, self._expire_probe, identifier, asked_at)
            return
        self._expire(self._probes.pop(identifier))

    def _expire(self, call: _Call) -> None:
        """End the host because of a call that was taken off the table."""
        error = PluginTimedOut(
            f"The plugin did not answer `{call.verb}` within {call.timeout_s:g} s, so it was stopped",
            hint=_REPAIRS.get(
                call.verb, "Do the slow part in the processor or the handler, not while a module is imported"
            ),
            verb=call.verb,
            timeout_s=call.timeout_s,
        )
        self._break(PluginCrashed("The plugin's host was stopped because another call ran out of time"), call, error)

    def _break(self, end: PluginError, culprit: _Call | None = None, cause: PluginError | None = None) -> None:
        """End the host: it may be asked no more and is killed, before anyone hears of it and asks again."""
        if self._end is not None:
            return
        self._end = end
        self._on_broken(end)
        if culprit is not None and cause is not None and not culprit.answer.done():
            culprit.answer.set_exception(cause)
        self.fail(end)


def _choked() -> ServiceUnavailable:
    busy = "The plugin's host has more requests waiting than it can take"
    return ServiceUnavailable(busy, hint="Send fewer requests at once, or try again later")
