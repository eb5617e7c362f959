"""errors.md: every error code with its status, its meaning and what to do about it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from scripts.reference.markdown import anchor, code, heading, table, written

import mixpeek
from mixpeek.client.errors import ApiError
from mixpeek.errors import MixpeekError

WORDS = """Every refusal is `{"success": false, "status", "error": {"type", "code", "message", "hint", "details"}}`;
`details.request_id` is also in the header `X-Request-Id` and in the server's log. Match on `code`: it never changes.
The command prints the same with `--json`. The `hint` of an answer fits the case at hand and comes first; what to do in
general stands here."""
# Programs, not libraries: importing them would start something.
EXTRAS = frozenset({"ray"})
PROGRAMS = ("__main__", "mixpeek.server.", "mixpeek.db.migrations")
# What to do where a class has no hint of its own, since each message brings one for its case. A test fails for a code
# that has neither, and for one that is here in vain.
REMEDIES = {
    "access.forbidden": "Use a key that has the permission and the namespace the message names; an administrator makes"
    " one with `mixpeek keys create`.",
    "catalog.content_invalid": "Send content of the kind the bucket's schema declares, or declare another type.",
    "catalog.content_too_large": "Send less, or raise `MIXPEEK_MAX_BLOB_BYTES` (files) on the server.",
    "client.unreachable": "Start the server (`mixpeek serve`), or correct `MIXPEEK_BASE_URL` or `--base-url`.",
    "client.wait_timed_out": "The work goes on: wait again with `mixpeek task wait`, or with a larger `timeout_s`.",
    "inspection.archive_refused": "Make the archive anew of plain files below one folder, as `mixpeek plugin publish`"
    " does; the message names the entry that was refused.",
    "inspection.rules_invalid": "Correct `MIXPEEK_RULES`, as in `security.threading=off,security.pickle=error`; the"
    " rules are listed in [Rules](rules.md).",
    "internal": "A defect of ours. Look for the request id in the server's log, and report both.",
    "models.changed": "Deploy the version again, or put the former files of the model back.",
    "models.hub_unavailable": "Check the server's way to `MIXPEEK_HUB_URL`, or store the model on the server with"
    " `mixpeek model pull ID --from DIR` and deploy again.",
    "models.not_found": "Correct `models` in manifest.py, or upload and deploy the model first (`mixpeek model upload`,"
    " `mixpeek model deploy`).",
    "objects.too_large": "Ask for an upload with the size the file really has.",
    "platform.egress_off": "Have the operator set `MIXPEEK_EGRESS=auto`, or declare another `resource_type` if the"
    " plugin needs no network.",
    "platform.environment_unavailable": "Try again later; the message says what could not be reached. An operator may"
    " set `MIXPEEK_INDEX_URL` or `MIXPEEK_WHEELHOUSE`.",
    "platform.failed": "Try again; if it stays, look for the request id in the server's log.",
    "platform.no_gpu": "Run the server on a machine with a GPU, or set `MIXPEEK_GPU_FALLBACK=cpu`.",
    "platform.sandbox_unavailable": "Install bubblewrap and permit user namespaces, as the message says;"
    " `MIXPEEK_SANDBOX=off` runs plugins without isolation.",
    "platform.setting_invalid": "Correct the variable the message names; `mixpeek config` shows all of them.",
    "platform.unavailable": "Try again after `Retry-After`; `GET /v1/health` says which part is away.",
    "plugin.crashed": "Read `mixpeek plugin logs`: the host's last lines and how it ended. A native library or `exit()`"
    " is the usual cause.",
    "plugin.failed": "Read the message: it says which part of the contract was not kept.",
    "plugin.over_limit": "Read the message: it names the limit, and what raises it.",
    "plugin.raised": "Correct the line in the last of `details.frames`; `mixpeek plugin test --sample-data` runs the"
    " same code on your machine.",
    "plugin.reply_invalid": "Return what the manifest declares: the same rows, vectors of `embedding_dim` finite"
    " numbers, values JSON can say.",
    "plugin.timed_out": "Do less at once, or raise the limit the hint names (`timeout_s`, `start_timeout_s`).",
    "request.already_exists": "Use the one there is, or another name.",
    "request.bad": "Correct what the message names, then send the request again.",
    "request.conflict": "Wait for, or undo, what the message names, then try again.",
    "request.invalid": "Correct each entry of `details.validation_errors`; `location` says where it is.",
    "request.not_found": "List the resources of this kind; the namespace of the key or of `X-Namespace` may be another"
    " one.",
    "retriever.reference_missing": "Give the input the template names, or declare a `default` for it in"
    " `input_schema`.",
    "secrets.not_granted": "Have an administrator grant it: `mixpeek secret grant NAME NAMESPACE`.",
}
WITHOUT_CLASS = {
    "http.400": "A body that is no text in UTF-8, or no multipart form. Send JSON in UTF-8.",
    "http.405": "A method the path does not take. The routes are in [HTTP](http.md).",
}


def page() -> str:
    """Return errors.md."""
    by_code: dict[str, list[type[MixpeekError]]] = {}
    for kind in sorted(known(), key=lambda kind: (kind.code, kind.__name__)):
        by_code.setdefault(kind.code, []).append(kind)
    rows = [
        (f"[{code(name)}]({anchor(name)})", str(kinds[0].status), _meaning(kinds[0])) for name, kinds in by_code.items()
    ]
    lines = [*heading("Errors", WORDS), *table(("Code", "Status", "Meaning"), rows)]
    for name, kinds in by_code.items():
        lines += [f"## {name}", ""]
        for kind in kinds:
            lines += [
                f"{_meaning(kind)} Status {kind.status}, type {code(kind.type)}, class {code(kind.__name__)}.",
                "",
            ]
        lines += [f"**What to do:** {_sentence(remedy_of(kinds))}", ""]
    lines += [
        "## Without a class",
        "",
        *table(("Code", "What it means"), [(code(k), v) for k, v in WITHOUT_CLASS.items()]),
    ]
    return written(lines)


def remedy_of(kinds: list[type[MixpeekError]]) -> str:
    """Return what to do about an error; raise LookupError if nobody has said it."""
    hint = next((kind.hint for kind in kinds if kind.hint), None) or REMEDIES.get(kinds[0].code)
    if not hint:
        raise LookupError(f"{kinds[0].code} has no hint; give {kinds[0].__name__} one, or REMEDIES")
    return hint


def known() -> Iterator[type[MixpeekError]]:
    """Yield every class of errors the platform has."""
    for module in pkgutil.walk_packages(mixpeek.__path__, "mixpeek."):
        if not any(program in module.name for program in PROGRAMS):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as missing:
                # What runs on a cluster needs an extra, and has no errors of its own.
                if missing.name is None or missing.name.partition(".")[0] not in EXTRAS:
                    raise
    seen: set[type[MixpeekError]] = set()
    waiting = [MixpeekError]
    while waiting:
        kind = waiting.pop()
        if kind not in seen:
            seen.add(kind)
            waiting += kind.__subclasses__()
    # Tests may have classes of their own; `ApiError` brings whatever code the server's answer has.
    yield from (kind for kind in seen if kind.__module__.startswith("mixpeek.") and kind is not ApiError)


def _meaning(kind: type[MixpeekError]) -> str:
    return (inspect.getdoc(kind) or "").splitlines()[0]


def _sentence(words: str) -> str:
    return words if words.endswith(".") else f"{words}."
