"""Run by the official SDK's own Python: carries out each plugin call and prints what the SDK made of the answers.

Usage: official_sdk_calls.py URL KEY NAMESPACE NAME ARCHIVE LATER_ARCHIVE; the archives hold versions 1.0.0 and 1.1.0.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from mixpeek.exceptions import ApiException

from mixpeek import (
    ApiClient,
    ApiNamespacesPluginsModelsCreatePluginUploadRequest,
    ApiPluginsModelsCreatePluginUploadRequest,
    Configuration,
    ConfirmPluginUploadRequest,
    CreateSecretRequest,
    CustomModelsApi,
    CustomPluginsNamespaceApi,
    EnableOrgPluginRequest,
    FeatureExtractorsApi,
    NamespaceExtractorsApi,
    OrganizationSecretsApi,
    PluginRealtimeTestRequest,
    PluginsApi,
    ReconfigureNamespaceRequest,
    UpdateSecretRequest,
    WebhookInput,
    WebhooksApi,
)

_WAIT_S = 60


def main(url: str, key: str, namespace: str, name: str, body: bytes, later: bytes) -> dict[str, Any]:
    auth = {"authorization": f"Bearer {key}"}
    api = ApiClient(Configuration(host=url))
    plugins = CustomPluginsNamespaceApi(api)
    sent = plugins.upload_plugin_namespaces(namespace, (f"{name}.zip", later), name, "1.1.0", **auth)
    own = in_namespace(plugins, auth, namespace, name, body)
    shared = for_organization(PluginsApi(api), plugins, auth, namespace, name, body)
    rest = {**extractors(api, auth, namespace), **models(CustomModelsApi(api), auth, namespace)}
    return {
        "sent": sent.to_dict(),
        **own,
        **shared,
        **rest,
        "secrets": secrets(api, auth, name),
        "webhook": webhooks(api, auth, name),
    }


def models(api: CustomModelsApi, auth: dict[str, str], namespace: str) -> dict[str, Any]:
    """Upload a model, deploy it, look at it and delete it."""
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    weights = len(header).to_bytes(8, "little") + header + bytes(4)
    model_id = "official_net_1_0_0"
    return {
        "model_sent": api.upload_model_namespaces(
            namespace, ("net.safetensors", weights), "official_net", "1.0.0", "safetensors", memory_gb=1, **auth
        ).to_dict(),
        "model_deployed": api.deploy_model_namespaces(namespace, model_id, **auth).to_dict(),
        "model": api.get_model_namespaces(namespace, model_id, **auth).to_dict(),
        "models": api.list_models_namespaces(namespace, **auth).to_dict(),
        "model_deleted": api.delete_model_namespaces(namespace, model_id, **auth).to_dict(),
    }


def secrets(api: ApiClient, auth: dict[str, str], name: str) -> dict[str, Any]:
    """Keep a secret, list it, change it and delete it."""
    vault = OrganizationSecretsApi(api)
    created = vault.create_secret_organizations(CreateSecretRequest(secret_name=name, secret_value="words"), **auth)
    listed = vault.list_secrets_organizations(**auth)
    updated = vault.update_secret_organizations_name(name, UpdateSecretRequest(secret_value="other words"), **auth)
    deleted = vault.delete_secret_organizations_name(name, **auth)
    return {
        "created": created.to_dict(),
        "listed": listed.to_dict(),
        "updated": updated.to_dict(),
        "deleted": deleted.to_dict(),
    }


def webhooks(api: ApiClient, auth: dict[str, str], name: str) -> dict[str, Any]:
    """Make a webhook, find it, change what was read, send it back, and delete it."""
    hooks = WebhooksApi(api)
    configs = {"url": "http://127.0.0.1:9/", "headers": {"X-From": "official"}, "timeout": 5}
    wanted = {"webhook_name": name, "event_types": ["object.created", "cluster.created"]}
    wanted |= {"channels": [{"channel": "webhook", "configs": configs}], "is_active": True}
    created = hooks.create_webhook_organizations(WebhookInput.from_dict(wanted), **auth)
    listed = hooks.list_webhooks_organizations(limit=1000, **auth)
    read = hooks.get_webhook_organizations(created.webhook_id, **auth).to_dict()
    changed = WebhookInput.from_dict({**read, "is_active": False})
    updated = hooks.update_webhook_organizations(created.webhook_id, changed, **auth)
    hooks.delete_webhook_organizations(created.webhook_id, **auth)
    return {
        "created": created.to_dict(),
        "is_listed": created.webhook_id in [each.webhook_id for each in listed.results],
        "updated": updated.to_dict(),
    }


def extractors(api: ApiClient, auth: dict[str, str], namespace: str) -> dict[str, Any]:
    """Discover extractors by every call there is."""
    unified, flat = NamespaceExtractorsApi(api), FeatureExtractorsApi(api)
    listed = unified.list_extractors_namespaces(namespace, **auth)
    first = listed.extractors[0].feature_extractor_id
    one = unified.get_extractor_namespaces(namespace, first, **auth)
    builtin = flat.list_feature_extractors(_headers=auth)
    same = flat.get_feature_extractor_by(builtin[0].feature_extractor_id, _headers=auth)
    return {
        "extractors": listed.to_dict(),
        "extractor": one.to_dict(),
        "builtins": [extractor.to_dict() for extractor in builtin],
        "builtin": same.to_dict(),
    }


def in_namespace(
    plugins: CustomPluginsNamespaceApi, auth: dict[str, str], namespace: str, name: str, body: bytes
) -> dict[str, Any]:
    """Take a plugin through every call of the namespace's surface but those about shared plugins."""
    wanted = ApiNamespacesPluginsModelsCreatePluginUploadRequest(name=name, version="1.0.0", file_size_bytes=len(body))
    place = plugins.generate_upload_url_namespaces_id_plugins(namespace, wanted, **auth)
    confirm = ConfirmPluginUploadRequest(etag=put(place.presigned_url, body), file_size_bytes=len(body))
    published = plugins.confirm_upload_namespaces_id_plugins(
        namespace, place.upload_id, confirm_plugin_upload_request=confirm, **auth
    )
    plugin_id = published.plugin_id
    queued = plugins.deploy_plugin_namespaces(namespace, plugin_id, **auth)
    status = wait(lambda: plugins.get_deployment_status_namespaces_id_plugins(namespace, plugin_id, **auth))
    tested = plugins.test_realtime_inference_namespaces_id_plugins(
        namespace, plugin_id, PluginRealtimeTestRequest(inputs={"text": "hello"}), **auth
    )
    listed = plugins.list_plugins_namespaces(namespace, **auth)
    detail = plugins.get_plugin_namespaces(namespace, plugin_id, return_presigned_urls=True, **auth)
    with urllib.request.urlopen(detail.presigned_download_url) as download:
        downloaded = download.read()
    reconfigured = plugins.reconfigure_namespace_id_plugins(
        namespace, ReconfigureNamespaceRequest(confirm=True), **auth
    )
    torn_down = plugins.undeploy_plugin_namespaces(namespace, plugin_id, **auth)
    deleted = plugins.delete_plugin_namespaces(namespace, plugin_id, **auth)
    try:
        plugins.get_plugin_namespaces(namespace, plugin_id, **auth)
        refused: int | None = None
    except ApiException as error:
        refused = error.status
    return {
        "place": place.to_dict(),
        "published": published.to_dict(),
        "queued": queued,
        "status": status.to_dict(),
        "tested": tested.to_dict(),
        "listed": listed.to_dict(),
        "detail": detail.to_dict(),
        "same_bytes": downloaded == body,
        "reconfigured": reconfigured.to_dict(),
        "torn_down": torn_down,
        "deleted": deleted.to_dict(),
        "refused": refused,
    }


def for_organization(
    shared: PluginsApi,
    plugins: CustomPluginsNamespaceApi,
    auth: dict[str, str],
    namespace: str,
    name: str,
    body: bytes,
) -> dict[str, Any]:
    """Publish a plugin for the organization, enable and disable it in the namespace, and delete it."""
    wanted = ApiPluginsModelsCreatePluginUploadRequest(name=name, version="1.0.0", file_size_bytes=len(body))
    place = shared.generate_upload_url_plugins(wanted, **auth)
    put(place.presigned_url, body)
    published = shared.confirm_upload_plugins(place.upload_id, **auth)
    plugin_id = published.plugin_id
    listed = shared.list_plugins(**auth)
    detail = shared.get_plugin(plugin_id, **auth)
    enabled = plugins.enable_org_plugin_namespaces(
        namespace, plugin_id, enable_org_plugin_request=EnableOrgPluginRequest(deploy=False), **auth
    )
    available = plugins.list_available_org_plugins_namespaces(namespace, **auth)
    disabled = plugins.disable_org_plugin_namespaces(namespace, plugin_id, **auth)
    deleted = shared.delete_plugin(plugin_id, **auth)
    return {
        "shared_published": published.to_dict(),
        "shared_listed": [plugin.plugin_id for plugin in listed.plugins],
        "shared_detail": detail.to_dict(),
        "enabled": enabled.to_dict(),
        "available": {plugin.plugin_id: plugin.enabled_in_namespace for plugin in available.plugins},
        "disabled": disabled.to_dict(),
        "shared_deleted": deleted.to_dict(),
    }


def put(url: str, body: bytes) -> str:
    request = urllib.request.Request(url, body, {"Content-Type": "application/gzip"}, method="PUT")
    with urllib.request.urlopen(request) as answer:
        etag: str = answer.headers["ETag"]
    return etag


def wait(ask: Any) -> Any:
    deadline = time.monotonic() + _WAIT_S
    while (status := ask()).status not in {"DEPLOYED", "FAILED"}:
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
    return status


if __name__ == "__main__":
    *texts, first, second = sys.argv[1:]
    print(json.dumps(main(*texts, Path(first).read_bytes(), Path(second).read_bytes()), default=str))
