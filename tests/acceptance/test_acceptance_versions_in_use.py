"""A version that is no longer live, but that a collection was made with, answers as long as the collection is there."""

from __future__ import annotations

import httpx
import pytest

from factories.answers import refusal
from factories.platform import bucket_with, collection_of, deployed, publish, retriever_over, run_batch
from factories.plugins import MakePlugin
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.client import ApiError

TEXTS = ["red apples and pears", "the cat on the mat", "rain in the north"]
# The very same words are as far away as can be: who embeds a query with this version finds the opposite.
OPPOSITE = "return {'embedding': (-embed(request['text'])).tolist()}"


def ask(http: httpx.Client, **named: str) -> httpx.Response:
    return http.post("/inference", json={**named, "inputs": {"text": "the cat on the mat"}})


def test_a_superseded_version_answers_for_its_collection_even_with_nothing_live(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    old = publish(client, make_plugin("words"), deploy=True)
    collection = collection_of(client, bucket_with(client, TEXTS), "words", version="1.0.0")
    assert run_batch(client, collection).status == "COMPLETED"
    retriever = retriever_over(client, collection)
    new = publish(client, make_plugin("words", into="v2", version="2.0.0", predict=OPPOSITE), version="2.0.0")

    def best() -> tuple[str, float]:
        found = client.retrievers.execute(retriever, {"query": "the cat on the mat"})["documents"]
        return found[0]["content"], round(found[0]["score"], 3)

    def versions() -> list[int | str]:
        """Who answers to the old id, to its URI, to the name, and to the new id: a version, or the refusal's status."""
        answers = [
            ask(http, inference_name=old),
            ask(http, feature_uri="mixpeek://words@1.0.0/words_vector"),
            ask(http, inference_name="words"),
            ask(http, inference_name=new),
        ]
        return [answer.json().get("version", answer.status_code) for answer in answers]

    assert deployed(client, new).status == "DEPLOYED"
    assert (versions(), best()) == (["1.0.0", "1.0.0", "2.0.0", "2.0.0"], (TEXTS[1], 1.0))

    client.plugins.undeploy(new)
    until(lambda: ask(http, inference_name="words").status_code == 409, what="the name no longer answers")
    assert (versions(), best()) == (["1.0.0", "1.0.0", 409, 409], (TEXTS[1], 1.0))
    refused = refusal(http.delete(f"/namespaces/{client.namespace}/plugins/{old}"), 409, "ConflictError")
    assert [each["collection_id"] for each in refused["details"]["collections"]] == [collection.collection_id]
    serving = client.plugins.status(old)
    assert (serving.status, serving["serving"]["replicas"]) == ("NOT_DEPLOYED", 1)

    http.delete(f"/collections/{collection.collection_id}").raise_for_status()
    assert versions() == [409, 409, 409, 409]
    assert client.plugins.delete(old).success


def test_a_retriever_goes_on_when_its_collection_is_built_with_another_version(
    client: Mixpeek, make_plugin: MakePlugin
) -> None:
    publish(client, make_plugin("words", realtime=False), deploy=True)
    bucket = bucket_with(client, TEXTS)
    following = collection_of(client, bucket, "words", version=None)
    pinned = collection_of(client, bucket, "words", version="1.0.0")
    for collection in (following, pinned):
        assert run_batch(client, collection).status == "COMPLETED"
    both = client.retrievers.create(
        "both",
        [search_stage("mixpeek://words@1.0.0/words_vector", "{{INPUT.query}}")],
        collection_identifiers=[following.collection_id, pinned.collection_id],
    ).retriever_id
    before = client.retrievers.execute(both, {"query": TEXTS[1]})

    # What it makes has the opposite sign, in batches as well: the two spaces are no use to each other.
    opposite = {"batch": "batch[FEATURE] = [[-x for x in v] for v in column_of(batch['data'])]", "predict": OPPOSITE}
    new = make_plugin("words", into="v2", version="2.0.0", **opposite)
    publish(client, new, version="2.0.0", deploy=True)
    assert run_batch(client, following).status == "COMPLETED"
    after = client.retrievers.execute(both, {"query": TEXTS[1]})

    assert before["warnings"] == []
    assert [warning for warning in after["warnings"] if "words@2.0.0" in warning] == after["warnings"] != []
    for answer in (before, after):
        best = answer["documents"][:2]
        assert [(each["content"], round(each["score"], 3)) for each in best] == [(TEXTS[1], 1.0)] * 2
    assert {uri for each in after["documents"][:2] for uri in each["features"]} == {
        "mixpeek://words@1.0.0/words_vector",
        "mixpeek://words@2.0.0/words_vector",
    }
    vector = [1.0, 0, 0, 0, 0, 0, 0, 0]
    own = [search_stage("mixpeek://words@1.0.0/words_vector", vector)]
    with pytest.raises(ApiError, match=r"cannot be compared with mixpeek://words@2\.0\.0"):
        client.retrievers.execute_ad_hoc(own, {}, collection_identifiers=[following.collection_id])
    assert client.retrievers.execute_ad_hoc(own, {}, collection_identifiers=[pinned.collection_id])["documents"]
    cloned = client.retrievers.clone(both, "again", collection_identifiers=[following.collection_id])
    assert client.retrievers.execute(cloned.retriever_id, {"query": TEXTS[1]})["documents"][0]["content"] == TEXTS[1]


def search_stage(uri: str, query: object) -> dict[str, object]:
    parameters = {"searches": [{"feature_uri": uri, "query": query}]}
    return {"stage_name": "search", "config": {"stage_id": "feature_search", "parameters": parameters}}
