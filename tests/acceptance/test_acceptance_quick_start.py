"""Publishing with the installed command; from `plugin init` to a search: `test_acceptance_templates`."""

from __future__ import annotations

from factories.commands import Command
from factories.plugins import MakePlugin
from mixpeek import Mixpeek


def test_publishing_the_same_content_again_is_no_error_and_makes_no_second_version(
    mix: Command, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    folder = make_plugin()
    first = mix("plugin", "publish", "--path", folder)

    again = mix("plugin", "publish", "--path", folder)
    (folder / "notes.txt").write_text("changed")
    changed = mix("plugin", "publish", "--path", folder)
    bumped = mix("plugin", "publish", "--path", folder, "--bump")

    assert first.code == 0, first.err
    assert again.code == 0, again.err
    assert changed.code == 1
    assert "--bump" in changed.err
    assert bumped.code == 0, bumped.err
    assert {plugin["version"] for plugin in client.plugins.list()["plugins"]} == {"1.0.0", "1.0.1"}
