"""`mixpeek plugin`: from a new folder to a published, deployed extractor, and back to an earlier one."""

from __future__ import annotations

import typer

from mixpeek.cli.lazy import Entry, lazy_group


def _here(module: str, words: str, attribute: str | None = None) -> Entry:
    return Entry(f"{__name__}.{module}", attribute or module, words)


_COMMANDS = {
    "init": _here("init", "Create a new plugin from a template."),
    "lint": _here("lint", "Check structure, code, manifest and secrets of a plugin; needs no server."),
    "test": _here("test", "Check a plugin, run its tests, and run sample data through it."),
    "publish": _here("publish", "Check a plugin, publish it to a namespace, and deploy it."),
    "list": _here("listing", "List the plugins of a namespace.", "list_plugins"),
    "push": _here("publish", "Check a plugin and publish it, without deploying it.", "push"),
    "pull": _here("pull", "Restore the files of a version into a folder, byte for byte."),
    "status": _here(
        "history",
        "Show which version of a plugin is active, how it is deployed, and why the last rollout failed, if it did.",
        "status",
    ),
    "log": _here(
        "history",
        "Show the versions of a plugin, newest first, with what was done to each; the active one has a star.",
        "log",
    ),
    "logs": _here(
        "logs", "Show what a version's hosts printed and logged; with `--follow --json`, one JSON object a line."
    ),
    "diff": _here(
        "history", "Show what changed from one version to another: file by file, then in the manifest.", "diff"
    ),
    "rollback": _here(
        "history",
        "Make an earlier version active again, after a look at what that changes; waits until it has taken over.",
        "rollback",
    ),
    "deploy": _here("deploy", "Deploy a version and wait until it answers."),
    "deployment": _here(
        "traffic",
        "Show which versions share the requests of a plugin, and how a shadow's answers differ.",
        "deployment",
    ),
    "promote": _here(
        "traffic",
        "Give all requests of a plugin to its canary or shadow, and end the version that had them.",
        "promote",
    ),
    "undeploy": _here(
        "traffic",
        "Stop a version from answering; the share of a canary goes back to the stable version.",
        "undeploy",
    ),
}

app = typer.Typer(
    cls=lazy_group(_COMMANDS), help="Create, test, publish, deploy and compare plugins.", no_args_is_help=True
)
