"""The page on searching: its commands are run and its JSON is sent, in order."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import httpx

from factories.platform import publish, run_batch
from factories.plugins import MakePlugin
from factories.servers import API_KEY, MIXPEEK, Server, surroundings
from mixpeek import Mixpeek

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "search.md"
BLOCK = re.compile(r"^```(?P<language>bash|json)\n(?P<code>.*?)^```\n", re.DOTALL | re.MULTILINE)
ROWS = [
    {"content": "the cat on the mat", "topic": "pets", "year": 2018},
    {"content": "the dog and the cat", "topic": "pets", "year": 2021},
    {"content": "rain in the north", "topic": "weather", "year": 2022},
    {"content": "red apples", "topic": "fruit", "year": 2023},
]
# The last thing in backticks of the line before: a file to write, or a request to send.
PLACE = re.compile(r"`(?P<place>[^`]+)`[^`]*$")


def test_the_page_on_searching_does_what_it_shows(
    server: Server, client: Mixpeek, http: httpx.Client, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    publish(client, make_plugin("my_extractor"))
    kinds = {"content": "text", "topic": "string", "year": "integer"}
    schema = {"properties": {name: {"type": kind} for name, kind in kinds.items()}}
    bucket_id = client.buckets.create("texts", schema).bucket_id
    client.objects.create_batch(bucket_id, ROWS)
    notes = client.collections.create(
        "notes",
        {"type": "bucket", "bucket_ids": [bucket_id]},
        {
            "feature_extractor_name": "my_extractor",
            "version": "1.0.0",
            "input_mappings": {"text": "content"},
            "field_passthrough": ["content", "topic", "year"],
        },
    )
    assert run_batch(client, notes).status == "COMPLETED"
    own = surroundings(MIXPEEK_API_KEY=API_KEY, MIXPEEK_BASE_URL=server.url, MIXPEEK_NAMESPACE=client.namespace or "")
    said, answers = [], []

    page_text = PAGE.read_text(encoding="utf-8")
    for block in BLOCK.finditer(page_text):
        before = page_text[: block.start()].rstrip().splitlines()[-1]
        if block["language"] == "bash":
            done = subprocess.run(
                ["/bin/bash", "-c", f"set -euo pipefail\n{block['code']}"],
                cwd=tmp_path,
                env={**own, "PATH": f"{Path(MIXPEEK).parent}:{own['PATH']}"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            said.append(done.stdout)
            continue
        found = PLACE.search(before)
        assert found, before
        if found["place"].endswith(".json"):
            (tmp_path / found["place"]).write_text(block["code"], encoding="utf-8")
            continue
        request = re.search(r"`POST /v1(?P<path>\S+)`", before)
        assert request, before
        answer = http.post(request["path"], json=json.loads(block["code"]))
        assert answer.is_success, answer.text
        answers.append(answer.json())

    assert (len(said), len(answers)) == (2, 4)
    assert "the cat on the mat" in said[0].splitlines()[1]
    assert "by_meaning" in said[1]
    page, cloned, plan, found_ad_hoc = answers
    assert page["documents"][0]["content"] == "the cat on the mat"
    assert page["pagination"]["has_next"]
    assert cloned["retriever"]["retriever_name"] == "by_meaning_recent"
    assert plan["execution_plan"][0]["stage_name"] == "search"
    assert [document["title"] for document in found_ad_hoc["documents"]] == ["rain in the north"]
    assert found_ad_hoc["facets"]["topic"][0] == {"value": "pets", "count": 2}
