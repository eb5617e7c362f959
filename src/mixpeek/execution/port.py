"""The port through which everything else uses plugins: start a host, ask it, close it.

A call over its time limit kills the host; every way to fail is a `PluginError` or `SandboxUnavailable`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mixpeek.errors import MixpeekError, PluginError

if TYPE_CHECKING:
    import pyarrow as pa

START_TIMEOUT_S = 20.0
DESCRIBE_TIMEOUT_S = 10.0
CALL_TIMEOUT_S = 15.0
TESTS_TIMEOUT_S = 300.0

GIB = 1024**3

DescribedPart = Literal["manifest", "realtime"]

Reply = tuple[Any, bytes]
"""What a host answered to one call: a value that JSON can say, unchecked, and a body."""


class Awaiting(Protocol):
    """Whoever waits for the reply to one call; a future is one."""

    def done(self) -> bool:
        """Whether nobody waits any more."""

    def set_result(self, result: Reply, /) -> None:
        """Hand over the reply."""

    def set_exception(self, exception: MixpeekError, /) -> None:
        """Hand over what went wrong instead."""


@dataclass(frozen=True)
class ModelMount:
    """A model that a host may read: `key` is how plugin code names it, `path` the folder with its files."""

    key: str
    path: Path
    format: str


LogSource = Literal["realtime", "gate", "batch", "test"]


@dataclass(frozen=True)
class LogOrigin:
    """What a host works for, by which its output is found again, and in whose name it asks the platform.

    Without one its output is not kept, and it is given nothing that belongs to a namespace.
    """

    namespace_id: str
    plugin_id: str
    source: LogSource
    deployment_id: str | None = None
    batch_id: str | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a host's log: of what it printed (`output`), of a `logging` record, or said of it by the platform."""

    at: datetime
    stream: Literal["output", "logging", "platform"]
    level: str
    message: str
    logger: str | None = None
    exception: str | None = None
    chunk: int | None = None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """How many items of a chunk a step says it has done: a plugin's word, never less than it said before."""

    chunk: int
    step: str | None
    done: float


class LogSink(Protocol):
    """Where the lines of hosts go."""

    def write(self, origin: LogOrigin, host_id: str, lines: Sequence[LogLine]) -> None:
        """Take lines of one host, in order; called on the event loop, so it never waits."""


@dataclass(frozen=True)
class HostSpec:
    """Which plugin to start, as whom, and with how much.

    `name` is the package name the plugin's modules see; `uid` is used only where the server runs as root;
    `scratch_bytes` caps the private /tmp, which counts as memory; `network` and `gpu` are given only to those who
    declare that they need them (`execution.needs`); `label` says in logs whose host it is; one that works in the
    `background` leaves the processor to everybody else first, one that is `idle` has it only while nobody else wants
    it, where the kernel can be told so; with an `origin`, what it prints is kept, and it may
    ask for assets and secrets of that namespace; `cpus` and `gpus` are what a cluster reserves for it, where declared.
    """

    plugin_dir: Path
    name: str
    uid: int | None = None
    memory_bytes: int = 2 * GIB
    network: bool = False
    gpu: bool = False
    python: Path = field(default_factory=lambda: Path(sys.executable))
    extra_paths: tuple[Path, ...] = ()
    scratch_bytes: int = GIB // 4
    models: tuple[ModelMount, ...] = ()
    label: str = ""
    background: bool = True
    idle: bool = False
    origin: LogOrigin | None = None
    cpus: float | None = None
    gpus: float | None = None


@dataclass(frozen=True)
class Libraries:
    """Modules that a host may import before it is asked anything: of the plugin's own, none."""

    modules: tuple[str, ...] = ()
    pytest: bool = False


@dataclass(frozen=True)
class Description:
    """What a plugin says about itself; `manifest` is unchecked JSON, `realtime` how its handler is called."""

    manifest: dict[str, Any]
    realtime: str | None
    python: str


@dataclass(frozen=True)
class Step:
    """One step of a built pipeline; `resource_type` is cpu, gpu or api, `condition` a RowCondition's value."""

    index: int
    name: str
    resource_type: str
    condition: str
    enabled: bool


@dataclass(frozen=True)
class Health:
    """Whether a host is in a call, how many calls wait behind it, and how many it has answered."""

    busy: bool
    waiting: int
    answered: int


@dataclass(frozen=True)
class Told:
    """What a host on another machine used when that machine told last; `host` is a number that no other host has."""

    host: int
    memory_bytes: int
    cpu_s: float


@dataclass(frozen=True)
class PytestResult:
    """How a plugin's own tests ended: pytest's exit code (5 is "no tests"), and what it printed, capped."""

    exit_code: int
    output: str


@dataclass(frozen=True)
class Isolation:
    """How rows are run of which those that fail are to stand alone.

    Args:
        batch_rows: how many rows a processor is called with at most.
        call_s: what one call of a processor may take. One that takes far longer than those before it is interrupted
            earlier, and its rows are tried in smaller calls; `alone` gives each call all of its time.
        explodes: as in `Host.run`; a row one of whose parts fails, fails whole.
        chunk: which chunk of a batch the rows are of: what the host says meanwhile is kept with it.
    """

    batch_rows: int
    call_s: float
    alone: bool = False
    explodes: bool = False
    chunk: int | None = None

    def wire(self) -> dict[str, Any]:
        """Return it as a host takes it."""
        isolate = {"call_s": self.call_s, "alone": self.alone}
        return {"batch_rows": self.batch_rows, "explodes": self.explodes, "isolate": isolate, "chunk": self.chunk}


@dataclass(frozen=True)
class RowFault:
    """A row that was left out: its place in the table that was sent, and why; None where it was not tried.

    An error's details may hold `waited_s`, the seconds after which a call that hung was interrupted, and
    `retry_after_s`, where a network may answer the next time.
    """

    row: int
    error: PluginError | None


@dataclass(frozen=True)
class PartialRun:
    """The rows that went through, in order, with the columns that were made; and the others."""

    table: pa.Table
    faults: tuple[RowFault, ...]


class Host(Protocol):
    """One running plugin; calls may overlap and are carried out one after another, in order.

    Raises, from every call: PluginRaised, PluginReplyInvalid, PluginTimedOut (the host is then dead), PluginCrashed.
    """

    @property
    def pid(self) -> int:
        """The outermost process of the host; killing it ends all of it."""

    @property
    def alive(self) -> bool:
        """Whether the host can still be asked."""

    @property
    def ended(self) -> str | None:
        """How it ended, None while it is alive."""

    @property
    def reported(self) -> Reported | None:
        """How far the step that runs says it is, None where it has said nothing."""

    @property
    def told(self) -> Told | None:
        """What its machine told last of what it uses; None on this machine, whose kernel knows, and before."""

    def stderr_tail(self) -> str:
        """Return the last of what the plugin printed, on either stream."""

    async def describe(
        self, part: DescribedPart | None = None, *, timeout_s: float = DESCRIBE_TIMEOUT_S
    ) -> Description:
        """Return what the plugin declares; with `part`, only that file is imported and the other is as if absent."""

    async def build(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        feature_extractor_name: str | None = None,
        version: str | None = None,
        timeout_s: float = DESCRIBE_TIMEOUT_S,
    ) -> tuple[Step, ...]:
        """Build the pipeline that later runs use; name and version default to the manifest's."""

    async def run(
        self,
        table: pa.Table,
        steps: Sequence[int] | None = None,
        *,
        batch_rows: int | None = None,
        explodes: bool = False,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> pa.Table:
        """Run steps (all enabled ones by default) over a table: same rows, same order, with the new columns.

        A processor is called with at most `batch_rows` rows at once. Only `data`, the system columns and columns
        that were not in `table` return; embeddings as FixedSizeList of float32 where all have one length. With
        `explodes`, one row per part: its row's `document_id`, as often as the row has parts, and the new columns.
        """

    async def run_isolated(self, table: pa.Table, isolation: Isolation, *, timeout_s: float) -> PartialRun:
        """Run all enabled steps as `run` does, but a row that fails, alone, leaves the others be."""

    async def predict(
        self, inputs: Any, parameters: Mapping[str, Any] | None = None, *, timeout_s: float = CALL_TIMEOUT_S
    ) -> Any:
        """Answer one realtime request; a plugin without realtime.py answers with its pipeline's new columns."""

    def post(self, body: bytes, answer: Awaiting, *, alone: bool = False, timeout_s: float = CALL_TIMEOUT_S) -> None:
        """Send one realtime request without waiting; `answer` is told (size of the call, result as JSON), or an error.

        `body` is JSON with `inputs` and `parameters`; the result is unchecked bytes. Requests that wait in the host
        together may be answered by one call of the plugin, but for those sent `alone`.
        """

    def linger(self) -> None:
        """Wait on the spot, 0.1 ms at most, for the reply to a posted request, if only one is under way.

        For a caller who has nothing else to do: a loop that sleeps until the reply comes is woken later than that.
        """

    async def warmup(self, *, batch_size: int = 1, timeout_s: float = START_TIMEOUT_S) -> int:
        """Load everything the first call would load; return how many posted requests one call will answer at most.

        That is `batch_size` where the plugin can answer several at once, else 1.
        """

    async def import_libraries(self, libraries: Libraries, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Import libraries ahead of the first call; one that cannot be imported is left to that call."""

    async def tests(self, *, timeout_s: float = TESTS_TIMEOUT_S) -> int:
        """Run the plugin's own tests and return pytest's exit code; what they print is the end of `stderr_tail`."""

    def memory_bytes(self) -> int:
        """Return what the host holds now, in memory and scratch; 0 once it has ended."""

    async def health(self, *, timeout_s: float = 5.0) -> Health:
        """Return how the host is doing, also while a call is running."""

    async def close(self) -> None:
        """End the host; calls that wait fail with PluginCrashed."""


class Execution(Protocol):
    """Where hosts come from."""

    async def start(self, spec: HostSpec, *, timeout_s: float = START_TIMEOUT_S) -> Host:
        """Start a host and return it once it answers; raise SandboxUnavailable, PluginCrashed, PluginTimedOut."""

    async def pytest(self, spec: HostSpec, *, timeout_s: float = TESTS_TIMEOUT_S) -> PytestResult:
        """Run the plugin's own tests in a host; raise SandboxUnavailable, PluginTimedOut."""

    async def close(self) -> None:
        """End every host started here."""
