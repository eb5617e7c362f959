"""Run by the official SDK's own Python: every call on retrievers, by its generated and its short client.

Usage: official_sdk_retriever_calls.py URL KEY NAMESPACE COLLECTION FEATURE_URI
"""

from __future__ import annotations

import json
import sys
from typing import Any

from mixpeek import (
    AdhocExecuteRequest,
    AdhocRetrieversApi,
    ApiClient,
    BudgetLimits,
    CloneRetrieverRequest,
    Configuration,
    CreateRetrieverRequest,
    CursorPaginationParams,
    ExecuteRetrieverRequest,
    ExecutionDetail,
    ExplainRetrieverRequest,
    ListRetrieversRequest,
    Mixpeek,
    OffsetPaginationParams,
    Pagination,
    PatchRetrieverRequest,
    RetrieverInputSchemaFieldInput,
    RetrieversApi,
    RetrieverStagesApi,
    StageConfig,
    StageParamsAttributeFilter,
    StageParamsJsonTransform,
    StageParamsMmr,
    StageParamsSortAttribute,
)


def main(url: str, key: str, namespace: str, collection: str, uri: str) -> dict[str, Any]:
    api = ApiClient(Configuration(host=url))
    auth = {"authorization": f"Bearer {key}", "x_namespace": namespace}
    return {
        "generated": generated(RetrieversApi(api), auth, collection, uri),
        "ad_hoc": AdhocRetrieversApi(api).execute_adhoc_retriever(
            AdhocExecuteRequest(
                collection_identifiers=[collection],
                input_schema=inputs(),
                stages=[search_stage(uri)],
                inputs={"query": "pear"},
            ),
            **auth,
        ),
        "stages": [each.to_dict() for each in RetrieverStagesApi(api).list_stages_retrievers()],
        "parameters": parameters(api, auth, collection, uri),
        "short": short(Mixpeek(key, namespace=namespace, base_url=f"{url}/v1"), collection, uri),
    }


def inputs() -> dict[str, RetrieverInputSchemaFieldInput]:
    return {"query": RetrieverInputSchemaFieldInput(type="text", required=True)}


def search_stage(uri: str) -> StageConfig:
    search = {"feature_uri": uri, "query": {"input_mode": "text", "value": "{{INPUT.query}}"}, "top_k": 10}
    return StageConfig(
        stage_name="search",
        stage_type="filter",
        config={"stage_id": "feature_search", "parameters": {"searches": [search], "final_top_k": 3}},
    )


def generated(calls: RetrieversApi, auth: dict[str, str], collection: str, uri: str) -> dict[str, Any]:
    made = calls.create_retriever(
        CreateRetrieverRequest(
            retriever_name="official",
            collection_identifiers=[collection],
            stages=[search_stage(uri)],
            input_schema=inputs(),
            budget_limits=BudgetLimits(max_time_ms=60_000, max_credits=1.0),
            tags=["a"],
        ),
        **auth,
    )
    name = made.retriever.retriever_id
    pages = [
        Pagination(OffsetPaginationParams(method="offset", page_size=2, page_number=1)),
        Pagination(CursorPaginationParams(method="cursor", limit=2)),
    ]
    executed = [
        calls.execute_retriever(
            name, execute_retriever_request=ExecuteRetrieverRequest(inputs={"query": "pear"}, pagination=page), **auth
        )
        for page in pages
    ]
    return {
        "made": made.to_dict(),
        "got": calls.get_retriever("official", **auth).to_dict(),
        "patched": calls.patch_retriever(name, PatchRetrieverRequest(description="new", tags=["b"]), **auth).to_dict(),
        "listed": calls.list_retrievers(
            list_retrievers_request=ListRetrieversRequest(search="official"), **auth
        ).to_dict(),
        "listed_get": calls.list_retrievers_get(**auth).to_dict(),
        "cloned": calls.clone_retriever(name, CloneRetrieverRequest(retriever_name="cloned"), **auth).to_dict(),
        "executed": executed,
        "details": [ExecutionDetail.from_dict(each).to_dict() for each in executed],
        "explained": calls.explain_retriever_execution_id_execute(
            name, explain_retriever_request=ExplainRetrieverRequest(inputs={"query": "pear"}), **auth
        ).to_dict(),
        "deleted": calls.delete_retriever("cloned", **auth),
    }


def parameters(api: ApiClient, auth: dict[str, str], collection: str, uri: str) -> list[str]:
    """Run stages whose parameters are written by the SDK's own models, with all their defaults."""
    searches = {"searches": [{"feature_uri": uri, "query": {"input_mode": "text", "text": "pear"}}]}
    stages = [
        (
            "attribute_filter",
            StageParamsAttributeFilter.from_dict({"field": "topic", "operator": "eq", "value": "fruit"}),
        ),
        ("sort_attribute", StageParamsSortAttribute.from_dict({"field": "content", "direction": "asc"})),
        ("mmr", StageParamsMmr.from_dict({"lambda": 0.5, "diversity_fields": ["content"]})),
        ("json_transform", StageParamsJsonTransform.from_dict({"template": '{"said": {{ DOC.content | tojson }}}'})),
    ]
    found = AdhocRetrieversApi(api).execute_adhoc_retriever(
        AdhocExecuteRequest(
            collection_identifiers=[collection],
            input_schema={},
            stages=[
                # Its model of a search cannot be made: it names a `null` that Python does not have.
                StageConfig(stage_name="search", config={"stage_id": "feature_search", "parameters": searches}),
                *(
                    StageConfig(stage_name=name, config={"stage_id": name, "parameters": stage.to_dict()})
                    for name, stage in stages
                ),
            ],
            inputs={},
        ),
        **auth,
    )
    return sorted(document["said"] for document in found["documents"])


def short(client: Mixpeek, collection: str, uri: str) -> dict[str, Any]:
    """Make the calls of the client that writes `name` for every name."""
    made = client.retrievers.create(
        name="short",
        collection_identifiers=[collection],
        stages=[
            {
                "stage_type": "filter",
                "stage_id": "feature_search",
                "parameters": {"searches": [{"feature_uri": uri, "query": "{{INPUT.query}}"}]},
            }
        ],
        input_schema={"properties": {"query": {"type": "text", "required": True}}},
    )
    return {
        "got": client.retrievers.get(made["retriever_id"]),
        "executed": client.retrievers.execute("short", inputs={"query": "pear"}, settings={"limit": 1}),
        "deleted": client.retrievers.delete(made["retriever_id"]),
        "searched": client.search("pear", collection=collection, limit=2),
        "filtered": client.search(
            "pear", collection=collection, filters={"AND": [{"field": "topic", "operator": "eq", "value": "thing"}]}
        ),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:]), default=str))
