"""One example of each JSON request body, by its schema's name; together they tell one story."""

from __future__ import annotations

from typing import Any

BUCKET_SCHEMA = {"properties": {"content": {"type": "text", "required": True}, "topic": {"type": "string"}}}
OBJECT = {
    "blobs": [{"property": "content", "type": "text", "data": "The quick brown fox jumps over the lazy dog"}],
    "topic": "animals",
}
SEARCH_STAGE = {
    "stage_name": "search",
    "stage_type": "filter",
    "config": {
        "stage_id": "feature_search",
        "parameters": {
            "searches": [
                {
                    "feature_uri": "mixpeek://text_embed@1.0.0/text_embedding",
                    "query": {"input_mode": "text", "value": "{{INPUT.query}}"},
                    "top_k": 10,
                }
            ]
        },
    },
}
FILTER = {"field": "topic", "operator": "eq", "value": "animals"}
EXAMPLES: dict[str, dict[str, Any]] = {
    "CreateKey": {"name": "ci-publisher", "permissions": ["write"], "namespaces": ["articles"]},
    "AskInference": {"inference_name": "text_embed", "inputs": {"text": "A fox jumps over a dog"}},
    "CreateSecret": {"secret_name": "weather_api_key", "secret_value": "wk_0a1b2c3d4e5f", "namespaces": ["articles"]},
    "UpdateSecret": {"secret_value": "wk_f5e4d3c2b1a0"},
    "CreateWebhook": {
        "webhook_name": "build-server",
        "event_types": ["plugin.published", "deployment.*", "batch.*"],
        "channels": [{"channel": "webhook", "configs": {"url": "https://hooks.example.com/mixpeek", "timeout": 10}}],
    },
    "ReplaceWebhook": {
        "webhook_name": "build-server",
        "event_types": ["*"],
        "channels": [{"channel": "webhook", "configs": {"url": "https://hooks.example.com/mixpeek"}}],
        "is_active": True,
    },
    "ChangeWebhook": {"is_active": False},
    "RotateSecret": {"overlap_s": 86400},
    "ListWebhooks": {"is_active": True},
    "CreateNamespace": {"namespace_name": "articles", "description": "News articles"},
    "RequestUpload": {"name": "text_embed", "version": "1.0.0", "description": "Sentence embeddings"},
    "Confirm": {"message": "first release"},
    "RequestModelUpload": {"name": "embedder", "version": "1.0.0", "model_format": "onnx", "task_type": "embedding"},
    "ConfirmModel": {"file_size_bytes": 22_928_619},
    "Deploy": {"message": "first release"},
    "Rollback": {"version": "1.0.0", "message": "1.1.0 ranks short texts too high"},
    "RealtimeTest": {"inputs": {"text": "a lazy dog"}, "parameters": {}},
    "Enable": {"params": {}, "deploy": True},
    "Reconfigure": {"dry_run": True},
    "CreateBucket": {"bucket_name": "articles", "bucket_schema": BUCKET_SCHEMA},
    "ReplaceBucket": {"bucket_name": "articles", "bucket_schema": BUCKET_SCHEMA, "description": "News articles"},
    "ChangeBucket": {"bucket_schema": {"properties": {"author": {"type": "string"}}}},
    "CreateObject": OBJECT,
    "ReplaceObject": OBJECT,
    "ChangeObject": {"topic": "animals, fast ones"},
    "CreateObjects": {"objects": [OBJECT]},
    "RequestBucketUpload": {
        "filename": "fox.png",
        "content_type": "image/png",
        "file_size_bytes": 48_213,
        "blob_property": "photo",
        "object_metadata": {"topic": "animals"},
    },
    "ConfirmBucketUpload": {"file_size_bytes": 48_213},
    "CreateCollection": {
        "collection_name": "article_embeddings",
        "source": {"type": "bucket", "bucket_ids": ["articles"]},
        "feature_extractor": {
            "feature_extractor_name": "text_embed",
            "version": "1.0.0",
            "input_mappings": {"text": "content"},
            "field_passthrough": [{"source_path": "content"}, {"source_path": "topic"}],
        },
    },
    "UpdateCollection": {"description": "Articles by meaning", "enabled": True},
    "CloneCollection": {"collection_name": "article_embeddings_2", "description": "With another model"},
    "Trigger": {"include_buckets": ["bkt_0a1b2c3d"]},
    "CreateBatch": {"object_ids": ["obj_0a1b2c3d"]},
    "SubmitBatch": {"include_processing_history": True},
    "AddObjects": {"object_ids": ["obj_4e5f6a7b"]},
    "ListBatches": {"status": "COMPLETED_WITH_ERRORS", "limit": 20},
    "RetryBatch": {"retry_mode": "all", "tier_nums": [0], "max_retry_count": 3},
    "CreateRetriever": {
        "retriever_name": "find_articles",
        "collection_identifiers": ["article_embeddings"],
        "input_schema": {"query": {"type": "text", "required": True}},
        "stages": [SEARCH_STAGE],
    },
    "Execute": {"inputs": {"query": "a lazy dog"}, "pagination": {"method": "offset", "limit": 10, "page_number": 1}},
    "ExecuteAdHoc": {
        "collection_identifiers": ["article_embeddings"],
        "input_schema": {"query": {"type": "text", "required": True}},
        "stages": [SEARCH_STAGE],
        "inputs": {"query": "a lazy dog"},
    },
    "Explain": {"inputs": {"query": "a lazy dog"}},
    "PatchRetriever": {"description": "Articles by meaning", "tags": ["articles"]},
    "CloneRetriever": {"retriever_name": "find_articles_2", "collection_identifiers": ["article_embeddings_2"]},
    "ListTasks": {"status": "COMPLETED"},
    "ListRequest": {"filters": {"AND": [FILTER]}, "sort": {"field": "created_at", "direction": "desc"}},
    "ListObjects": {"filters": {"AND": [FILTER]}, "select": ["topic"]},
    "ListUploads": {"sort": {"field": "created_at", "direction": "desc"}, "return_presigned_urls": True},
    "ListDocuments": {"filters": {"AND": [FILTER]}, "sort": {"field": "topic"}, "select": ["topic"]},
    "UpdateNamespace": {"description": "News articles of this year"},
    "BeginUpgrade": {"version": "1.1.0", "start": False},
    "CompareGenerations": {"queries": ["a lazy dog", "news about rivers"]},
    "SwitchGeneration": {"force": "article_embeddings"},
    "TriggerBucket": {"collection_ids": ["article_embeddings"]},
    "CreateDocument": {"topic": "animals", "note": "written by hand"},
    "SetFields": {"note": "checked"},
    "BulkUpdate": {"filters": FILTER, "update_data": {"note": "checked"}},
    "BatchUpdate": {"updates": [{"document_id": "doc_0a1b2c3d", "update_data": {"note": "checked"}}]},
    "BatchDelete": {"document_ids": ["doc_0a1b2c3d"]},
    "Aggregate": {"group_by": [{"field": "topic"}], "aggregations": [{"function": "count", "alias": "documents"}]},
}
