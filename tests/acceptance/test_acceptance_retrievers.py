"""Retrievers that are kept, on a real server: through the client, and from the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from factories.commands import run_command
from factories.library import Library
from factories.platform import unique
from factories.servers import API_KEY, Server
from mixpeek.client import ApiError


def test_a_retriever_is_renamed_cloned_and_deleted(library: Library, kept: str) -> None:
    retrievers = library.client.retrievers
    name = unique("clone")

    cloned = retrievers.clone(kept, name, stages=[library.stage("feature_search", searches=[library.search()])])
    changed = retrievers.update(name, description="By meaning", tags=["demo"])
    versions = retrievers.versions(name)["results"]
    with pytest.raises(ApiError) as refused:
        retrievers.update(name, stages=[])
    with pytest.raises(ApiError) as fixed:
        retrievers.update(name, stages=[library.stage("limit")])
    deleted = retrievers.delete(name)

    assert (cloned["source_retriever_id"], len(cloned["retriever"]["stages"])) == (
        retrievers.get(kept)["retriever_id"],
        1,
    )
    assert (changed["retriever"]["version"], changed["retriever"]["tags"]) == (2, ["demo"])
    assert [(each["version"], each["description"]) for each in versions] == [(2, "By meaning"), (1, None)]
    assert "clone" in str(fixed.value.hint)
    assert refused.value.status == 422
    assert deleted["retriever_id"] == cloned["retriever_id"]
    with pytest.raises(ApiError, match="No retriever"):
        retrievers.get(name)


def test_a_value_of_a_filter_may_be_an_input(library: Library) -> None:
    name, about = unique("dynamic"), {"type": "dynamic", "field": "inputs.about"}
    stages = [
        library.stage("attribute_filter", field="topic", value=about),
        library.stage("feature_search", pre_filters={"AND": [{"field": "topic", "value": about}]}, final_top_k=5),
    ]

    def create(inputs: dict[str, Any]) -> None:
        library.client.retrievers.create(name, stages, collection_identifiers=["library"], input_schema=inputs)

    with pytest.raises(ApiError, match="names the input 'about'"):
        create({"query": {"type": "text"}})
    create({"about": {"type": "text"}})
    found = library.client.retrievers.execute(name, {"about": "pets"})["documents"]

    assert [document["topic"] for document in found] == ["pets", "pets"]
    with pytest.raises(ApiError, match="'about' was not given"):
        library.client.retrievers.execute(name, {})


def test_every_stage_has_a_schema_of_its_parameters(library: Library) -> None:
    stages = {stage["stage_id"]: stage for stage in library.client.retrievers.stages()}

    assert len(stages) == 15
    assert all(stage["parameter_schema"]["properties"] for stage in stages.values())


def test_the_command_searches_and_runs(library: Library, kept: str, server: Server, tmp_path: Any) -> None:
    settings = {
        "MIXPEEK_API_KEY": API_KEY,
        "MIXPEEK_BASE_URL": server.url,
        "MIXPEEK_NAMESPACE": library.client.namespace or "",
    }
    file = tmp_path / "rainy.json"
    stage = library.stage("feature_search", searches=[library.search(uri=library.text_uri)])
    file.write_text(json.dumps({"name": "rainy", "collection_identifiers": ["library"], "stages": [stage]}))

    def run(*arguments: str) -> Any:
        return run_command(*arguments, cwd=tmp_path, **settings)

    found = run("search", "the cat on the mat", "-c", "library", "-l", "2", "-f", "year>=2020", "--explain")
    as_json = run("search", "rain", "-c", "library", "--mode", "text", "--json")
    made = run("retriever", "create", "-f", str(file))
    ran = run("retriever", "run", "rainy", "query=rain")
    shown = library.stage("json_transform", template='{"title": {{ DOC.content | tojson }}}')
    library.client.retrievers.create("titles", [stage, shown], collection_identifiers=["library"])
    titles = run("retriever", "run", "titles", "query=rain")
    numbers = run("retriever", "run", kept, "query=2020", "most=1", "--json")

    assert found.out.splitlines()[0].split() == ["SCORE", "[1]", "[2]", "ID", "TEXT"]
    assert found.out.splitlines()[1].endswith("the cat on the mat")
    assert len([line for line in found.out.splitlines() if "doc_" in line]) == 2
    assert [document["topic"] for document in as_json.json["documents"]] == ["weather", "weather"]
    assert made.out.startswith("ret_")
    assert "rain in the north" in ran.out
    assert "rain in the north" in titles.out
    assert len(numbers.json["documents"]) == 1  # a text stays a text, whatever it spells
    assert "rainy" in run("retriever", "list").out
    assert "feature_search" in run("retriever", "show", "rainy").out
    assert run("retriever", "delete", "rainy").code == 0
