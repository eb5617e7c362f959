"""`mixpeek dev` against a running server: what it shows of a plugin, what it says of a broken one, what it leaves."""

from __future__ import annotations

import json

from factories.commands import Command
from factories.plugins import MakePlugin
from factories.servers import API_KEY, Server
from mixpeek import Mixpeek

ROWS = json.dumps([{"text": "one"}, {"text": "two words"}])


def namespaces(server: Server) -> set[str]:
    with Mixpeek(api_key=API_KEY, base_url=server.url) as admin:
        return {each.namespace_name for each in admin.namespaces.iterate() if each.namespace_name.startswith("dev_")}


def test_a_plugin_is_published_deployed_asked_and_run_and_nothing_is_left(
    mix: Command, server: Server, make_plugin: MakePlugin
) -> None:
    plugin = make_plugin("dev_words", files={"samples.json": ROWS})

    ran = mix("dev", "--path", plugin, "--once")

    assert ran.code == 0, ran
    for name in ("Published", "Deployed", "Realtime", "Batch"):
        assert f"✓ {name}" in ran.out, ran
    assert "COMPLETED: 2 written" in ran.out
    assert ran.out.count("embedding = [") == 2
    assert "words_vector" in ran.out
    assert not namespaces(server)


def test_files_that_samples_name_are_run_as_files(mix: Command) -> None:
    mix("plugin", "init", "look_alike", "--category", "image")

    ran = mix("dev", "--path", "look_alike", "--once")

    assert ran.code == 0, ran
    assert "COMPLETED: 3 written" in ran.out


def test_a_plugin_that_fails_is_told_at_the_authors_own_line(
    mix: Command, server: Server, make_plugin: MakePlugin
) -> None:
    broken = make_plugin("dev_broken", construct="raise RuntimeError('no weights here')", files={"samples.json": ROWS})
    refused = make_plugin("dev_refused", into="refused", files={"extra.py": "import subprocess\n"})

    at_start, at_scan = mix("dev", "--path", broken, "--once"), mix("dev", "--path", refused, "--once")

    assert (at_start.code, at_scan.code) == (1, 1)
    assert "no weights here" in at_start.err
    assert "realtime.py:6 in __init__" in at_start.err
    assert "extra.py:1" in at_scan.err
    assert "security.subprocess" in at_scan.err
    assert not namespaces(server)
