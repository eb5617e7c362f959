"""Every error the platform raises on purpose, and how each one reads on the wire.

    MixpeekError
    ├── RequestError          the caller can repair it: 400 404 409 422
    ├── AccessError           401 403
    ├── PluginError           the author's code is at fault
    │   ├── PluginRaised      it raised; carries its own frames only
    │   ├── PluginTimedOut    it took longer than its limit
    │   ├── PluginCrashed     its host process died
    │   ├── PluginReplyInvalid  what it returned cannot be used
    │   ├── ParityBroken      realtime and batch say different things, and its manifest forbids that
    │   ├── PluginOverLimit   it used more than a host may; one class per limit
    │   └── DependenciesRefused  the packages it declares cannot be installed
    └── PlatformError         ours: 500 503
        ├── SandboxUnavailable
        ├── EgressOff         a plugin needs a network, and this server gives none
        ├── NoGpu             a plugin needs a GPU, and this machine has none
        ├── EnvironmentUnavailable  its environment cannot be built at the moment
        ├── HostLost          the machine that ran a plugin's host is gone
        ├── ServiceUnavailable  a part of the platform cannot be reached
        │   └── NoRoom        no machine of the cluster has room for a host
        └── SettingInvalid    a `MIXPEEK_*` variable cannot be read

Raise low, with facts; the edges (`api.errors`, `cli.output`) translate once.
"""

from __future__ import annotations

from typing import Any, ClassVar


class MixpeekError(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "InternalServerError"
    code: ClassVar[str] = "internal"
    hint: str | None = None

    def __init__(self, message: str | None = None, *, hint: str | None = None, **details: Any) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        if hint is not None:
            self.hint = hint
        self.details = details
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors travel through the workflow engine's records; rebuild them without calling `__init__` again.
        return _rebuild, (type(self), self.args, self.__dict__)

    @property
    def named(self) -> str:
        """The message after the name of the error, but for what a plugin raised: that names its own exception."""
        is_own = type(self) in (MixpeekError, PluginError, PluginRaised)
        return self.message if is_own else f"{type(self).__name__}: {self.message}"

    def wire(self) -> dict[str, Any]:
        """Return the `error` object of the envelope: type, code, message, hint, details."""
        return {
            "type": self.type,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "details": self.details,
        }


def _rebuild(kind: type[MixpeekError], args: tuple[Any, ...], state: dict[str, Any]) -> MixpeekError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class RequestError(MixpeekError):
    """The request cannot be carried out as sent."""

    status, type, code = 400, "BadRequestError", "request.bad"


class NotFound(RequestError):
    """No such resource."""

    status, type, code = 404, "NotFoundError", "request.not_found"

    def __init__(self, resource: str, identifier: str, *, hint: str | None = None) -> None:
        super().__init__(
            f"No {resource} {identifier!r} here",
            hint=hint or f"List the {resource}s of this namespace to see what exists",
            resource=resource,
            id=identifier,
        )


class AlreadyExists(RequestError):
    """A resource of this name exists already."""

    status, type, code = 409, "AlreadyExistsError", "request.already_exists"


class Conflict(RequestError):
    """The resource is not in a state that allows this."""

    status, type, code = 409, "ConflictError", "request.conflict"


class InvalidRequest(RequestError):
    """The request body or a parameter is not valid."""

    status, type, code = 422, "ValidationError", "request.invalid"


class AccessError(MixpeekError):
    """This key may not do that."""

    status, type, code = 403, "ForbiddenError", "access.forbidden"


class Unauthorized(AccessError):
    """The API key is missing or not valid."""

    status, type, code = 401, "UnauthorizedError", "access.unauthorized"
    hint = "Send `Authorization: Bearer <key>` with a key of this server"


class PluginError(MixpeekError):
    """The plugin did not do what its contract asks."""

    status, type, code = 500, "FeatureExtractionError", "plugin.failed"


class PluginRaised(PluginError):
    """The plugin raised an exception."""

    code = "plugin.raised"


class PluginTimedOut(PluginError):
    """The plugin did not answer in time."""

    type, code = "TimeoutError", "plugin.timed_out"


class PluginCrashed(PluginError):
    """The plugin's host process ended."""

    code = "plugin.crashed"


class PluginReplyInvalid(PluginError):
    """The plugin returned something that cannot be used."""

    code = "plugin.reply_invalid"


class ParityBroken(PluginError):
    """Realtime and batch give different vectors, and the manifest says `parity = "strict"`."""

    code = "plugin.parity_broken"
    hint = 'Use one encoder for both, or drop `parity = "strict"` if queries are meant to be encoded in another way'


class PluginOverLimit(PluginError):
    """The plugin used more than its host may."""

    code = "plugin.over_limit"


class PluginOutOfMemory(PluginOverLimit):
    """The plugin used more memory than its limit."""

    code = "plugin.out_of_memory"
    hint = "Work on smaller batches, or raise `compute_profile.actor_memory_gb` in manifest.py; /tmp counts as memory"


class PluginCpuExceeded(PluginOverLimit):
    """The plugin used more processor time than its calls account for."""

    code = "plugin.cpu_exceeded"
    hint = "End every thread before a call returns, and use no more threads than there are cores"


class PluginScratchFull(PluginOverLimit):
    """The plugin wrote more than its scratch folder or one file may hold."""

    code = "plugin.scratch_full"
    hint = "Delete temporary files as soon as they are used; /tmp is small and held in memory"


class PluginTooManyFiles(PluginOverLimit):
    """The plugin holds more files or sockets open than it may."""

    code = "plugin.too_many_files"
    hint = "Close files when they are read, as `with open(...)` does"


class PluginTooManyThreads(PluginOverLimit):
    """The plugin started more threads than it may."""

    code = "plugin.too_many_threads"
    hint = "Use a pool of a few threads, and end them when the call ends"


class PluginFlooded(PluginOverLimit):
    """The plugin printed more than anyone could read."""

    code = "plugin.flooded"
    hint = "Print a line per call at most; results belong in what the call returns"


class PluginReplyTooLarge(PluginOverLimit):
    """The plugin returned more than one reply may hold."""

    code = "plugin.reply_too_large"
    hint = "Return less at once: a smaller `compute_profile.batch_size` makes smaller tables"


class DependenciesRefused(PluginError):
    """The packages that the plugin declares cannot be installed."""

    code = "plugin.dependencies_refused"
    hint = "Change `dependencies` in manifest.py, then publish a new version"


class PlatformError(MixpeekError):
    """The platform could not do its part."""

    code = "platform.failed"


class SandboxUnavailable(PlatformError):
    """Plugins cannot be isolated on this machine, so they are not run."""

    status, type, code = 503, "InferenceServiceUnavailableError", "platform.sandbox_unavailable"


class EgressOff(PlatformError):
    """The plugin needs a network, and this server gives none to plugins."""

    status, type, code = 503, "InferenceServiceUnavailableError", "platform.egress_off"


class NoGpu(PlatformError):
    """The plugin needs a GPU, and this machine has none."""

    status, type, code = 503, "InferenceServiceUnavailableError", "platform.no_gpu"


class SettingInvalid(PlatformError):
    """A setting cannot be read."""

    code = "platform.setting_invalid"


class EnvironmentUnavailable(PlatformError):
    """The plugin's environment cannot be built at the moment."""

    status, type, code = 503, "InferenceServiceUnavailableError", "platform.environment_unavailable"


class ServiceUnavailable(PlatformError):
    """A part of the platform is not reachable right now."""

    status, type, code = 503, "InferenceServiceUnavailableError", "platform.unavailable"


class NoRoom(ServiceUnavailable):
    """No machine of the cluster has room for another host of a plugin."""

    code = "platform.no_room"
    hint = "Add machines to the cluster, or let the manifest ask for less"


class HostLost(PlatformError):
    """The machine that ran the plugin's host was lost."""

    status, type, code = 503, "InferenceServiceUnavailableError", "platform.host_lost"
    hint = "Send it again: another host takes its place"
