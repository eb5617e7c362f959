"""`mixpeek plugin publish`, examined in the real host and sent to a local server."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from small_plugin import MANIFEST, write_plugin

from factories.commands import Command
from factories.local_server import Answer, LocalServer, refusal

BASE = "/v1/namespaces/ns_1/plugins"
PLUGIN = f"{BASE}/small_one_1_2_0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_plugin(tmp_path / "small_one", test=None)


@pytest.fixture
def accepting(server: LocalServer) -> LocalServer:
    """A server that publishes and deploys."""
    server.on(f"POST {BASE}/uploads", {"upload_id": "up_1", "presigned_url": f"{server.url}/put", "version": "1.2.0"})
    server.on("PUT /put", Answer(b"", headers={"ETag": "e"}))
    server.on(
        f"POST {BASE}/uploads/up_1/confirm",
        {"success": True, "plugin_id": "small_one_1_2_0", "validation_errors": []},
    )
    server.on(f"POST {PLUGIN}/deploy", {"status": "queued"})
    server.on(f"GET {PLUGIN}/status", *[{"status": state} for state in ("QUEUED", "IN_PROGRESS", "DEPLOYED")])
    return server


def publish(mix: Command, server: LocalServer, folder: Path, *more: str):  # type: ignore[no-untyped-def]
    return mix("plugin", "publish", "-p", folder, "-n", "ns_1", "--base-url", server.url, *more)


def test_a_plugin_is_uploaded_deployed_and_named_on_stdout(mix: Command, accepting: LocalServer, folder: Path) -> None:
    ran = publish(mix, accepting, folder, "-m", "first")

    assert ran.code == 0, ran
    assert ran.out.splitlines() == ["small_one_1_2_0", "mixpeek://small_one@1.2.0/length_vector"]
    assert "✓ Deployed" in ran.err
    assert accepting.routes() == [
        f"POST {BASE}/uploads",
        "PUT /put",
        f"POST {BASE}/uploads/up_1/confirm",
        f"POST {PLUGIN}/deploy",
        *[f"GET {PLUGIN}/status"] * 3,
    ]
    assert accepting.asked[0].json["version"] == "1.2.0"
    assert accepting.asked[2].json["message"] == "first"
    with tarfile.open(fileobj=io.BytesIO(accepting.asked[1].content)) as archive:
        assert archive.getnames() == ["small_one/manifest.py", "small_one/pipeline.py", "small_one/realtime.py"]


def test_a_dry_run_needs_no_server_and_no_namespace(mix: Command, server: LocalServer, folder: Path) -> None:
    ran = mix("plugin", "publish", "-p", folder, "--dry-run", "--base-url", server.url)

    assert (ran.code, ran.out) == (0, "small_one 1.2.0 is ready to publish\n")
    assert server.asked == []


def test_a_dry_run_in_json_lists_what_would_be_sent(mix: Command, folder: Path) -> None:
    ran = mix("plugin", "publish", "-p", folder, "--dry-run", "--json")

    assert ran.json["files"] == ["manifest.py", "pipeline.py", "realtime.py"]
    assert (ran.json["dry_run"], ran.json["published"], ran.json["success"]) == (True, False, True)


def test_without_a_namespace_nothing_starts(mix: Command, server: LocalServer, folder: Path) -> None:
    ran = mix("plugin", "publish", "-p", folder, "--base-url", server.url)

    assert ran.code == 2
    assert "--namespace" in ran.err


def test_a_plugin_with_findings_is_not_sent(mix: Command, server: LocalServer, tmp_path: Path) -> None:
    folder = write_plugin(tmp_path / "bad", pipeline="import ctypes\ndef build_steps(r): return {'steps': []}\n")

    ran = publish(mix, server, folder)

    assert (ran.code, ran.out) == (1, "")
    assert "pipeline.py:1:" in ran.err
    assert "security.ctypes" in ran.err
    assert server.asked == []


def test_what_the_server_finds_is_printed_like_a_finding_of_our_own(
    mix: Command, accepting: LocalServer, folder: Path
) -> None:
    finding = {"rule": "quota.x", "severity": "error", "path": "manifest.py", "line": 4, "message": "m", "hint": "h"}
    accepting.on(
        f"POST {BASE}/uploads/up_1/confirm", refusal(400, "BadRequestError", "Refused", validation_errors=[finding])
    )

    ran = publish(mix, accepting, folder)

    assert (ran.code, ran.out) == (1, "")
    assert "error: Refused" in ran.err
    assert "  manifest.py:4  error  quota.x  m" in ran.err


def test_publishing_the_same_content_again_is_no_error(mix: Command, accepting: LocalServer, folder: Path) -> None:
    code_hash = mix("plugin", "publish", "-p", folder, "--dry-run", "--json").json["code_hash"]
    accepting.on(f"POST {BASE}/uploads", refusal(409, "AlreadyExistsError", "It exists"))
    accepting.on(f"GET {PLUGIN}", {"success": True, "plugin": {"code_hash": code_hash}})
    accepting.on(f"GET {PLUGIN}/status", {"status": "DEPLOYED"})

    ran = publish(mix, accepting, folder)

    assert ran.code == 0, ran
    assert "already published" in ran.err
    assert f"POST {PLUGIN}/deploy" not in accepting.routes()


def test_published_but_never_deployed_is_deployed_the_second_time(
    mix: Command, accepting: LocalServer, folder: Path
) -> None:
    code_hash = mix("plugin", "publish", "-p", folder, "--dry-run", "--json").json["code_hash"]
    accepting.on(f"POST {BASE}/uploads", refusal(409, "AlreadyExistsError", "It exists"))
    accepting.on(f"GET {PLUGIN}", {"success": True, "plugin": {"code_hash": code_hash}})
    accepting.on(f"GET {PLUGIN}/status", {"status": "NOT_DEPLOYED"}, {"status": "DEPLOYED"})

    ran = publish(mix, accepting, folder)

    assert ran.code == 0
    assert f"POST {PLUGIN}/deploy" in accepting.routes()


def test_other_content_under_a_published_version_names_bump(mix: Command, accepting: LocalServer, folder: Path) -> None:
    accepting.on(f"POST {BASE}/uploads", refusal(409, "AlreadyExistsError", "It exists"))
    accepting.on(f"GET {PLUGIN}", {"success": True, "plugin": {"code_hash": "other"}})

    ran = publish(mix, accepting, folder)

    assert (ran.code, ran.out) == (1, "")
    assert "--bump" in ran.err


def test_bump_leaves_the_version_to_the_server_and_prints_what_it_chose(
    mix: Command, accepting: LocalServer, folder: Path
) -> None:
    accepting.on(
        f"POST {BASE}/uploads", {"upload_id": "up_1", "presigned_url": f"{accepting.url}/put", "version": "1.2.5"}
    )

    ran = publish(mix, accepting, folder, "--bump", "--no-deploy")

    assert "version" not in accepting.asked[0].json
    assert ran.out.splitlines()[1] == "mixpeek://small_one@1.2.5/length_vector"


def test_batch_only_ends_well_without_being_deployed(mix: Command, accepting: LocalServer, folder: Path) -> None:
    accepting.on(f"GET {PLUGIN}/status", {"status": "NOT_DEPLOYED", "message": "Usable in batches"})

    ran = publish(mix, accepting, folder, "--batch-only")

    assert ran.code == 0
    assert accepting.asked[3].query == {"deployment_type": "batch_only"}
    assert "Usable in batches" in ran.err


def test_no_deploy_stops_after_the_upload(mix: Command, accepting: LocalServer, folder: Path) -> None:
    ran = publish(mix, accepting, folder, "--no-deploy", "--json")

    assert (ran.code, ran.json["status"], ran.json["published"]) == (0, None, True)
    assert len(accepting.asked) == 3


def test_no_wait_asks_for_the_status_once(mix: Command, accepting: LocalServer, folder: Path) -> None:
    ran = publish(mix, accepting, folder, "--no-wait", "--json")

    assert (ran.code, ran.json["status"]) == (0, "QUEUED")


def test_a_failed_deployment_exits_1_with_its_cause(mix: Command, accepting: LocalServer, folder: Path) -> None:
    accepting.on(f"GET {PLUGIN}/status", {"status": "FAILED", "error": "realtime.py:3 KeyError\nmore"})

    ran = publish(mix, accepting, folder)

    assert (ran.code, ran.out) == (1, "")
    assert "✗ Deployed" in ran.err
    assert "    realtime.py:3 KeyError\n    more" in ran.err


# Put together here, so that no tool that reads this file takes it for the thing itself.
KEY = "sk_" + "live_51Hq8ZxR2eZvKYlo2C0aBcDe"


def test_files_and_sizes_are_listed_and_what_git_leaves_out_is_named(mix: Command, folder: Path) -> None:
    (folder / ".gitignore").write_text("*.log\n")
    (folder / "run.log").write_text("x")

    ran = mix("plugin", "publish", "-p", folder, "--dry-run")

    assert ran.code == 0
    assert "✓ Packed          4 files, " in ran.err
    assert f"{(folder / 'pipeline.py').stat().st_size}  pipeline.py" in ran.err
    assert "left out by .gitignore: run.log" in ran.err


def test_a_likely_secret_is_not_sent_and_says_how_to_allow_it(
    mix: Command, accepting: LocalServer, folder: Path
) -> None:
    (folder / "client.py").write_text(f"\nKEY = '{KEY}'\n")

    refused = publish(mix, accepting, folder)
    (folder / "client.py").write_text(f"\nKEY = '{KEY}'  # mixpeek: allow-secret\n")
    allowed = publish(mix, accepting, folder, "--no-deploy")

    assert (refused.code, refused.out) == (1, "")
    assert "client.py:2:8  error  secret.api_key" in refused.err
    assert "mixpeek: allow-secret" in refused.err
    assert KEY not in refused.err
    assert allowed.code == 0, allowed


def test_the_plugins_own_tests_must_pass(mix: Command, accepting: LocalServer, folder: Path) -> None:
    write_plugin(folder, test="def test_wrong():\n    assert 1 == 2\n")

    failed = publish(mix, accepting, folder)
    asked = len(accepting.asked)
    without = publish(mix, accepting, folder, "--no-tests", "--no-deploy")

    assert (failed.code, asked) == (1, 0)
    assert "assert 1 == 2" in failed.err
    assert without.code == 0


def test_warnings_stop_a_strict_publish_only(mix: Command, accepting: LocalServer, folder: Path) -> None:
    write_plugin(folder, test=None, manifest=MANIFEST.replace('"category": "text"', '"category": "poems"'))

    strict = publish(mix, accepting, folder, "--strict")
    asked = len(accepting.asked)
    lenient = publish(mix, accepting, folder, "--no-deploy")

    assert (strict.code, asked) == (1, 0)
    assert "manifest.unknown_category" in strict.err
    assert lenient.code == 0


def test_push_publishes_and_deploys_nothing(mix: Command, accepting: LocalServer, folder: Path) -> None:
    ran = mix("plugin", "push", folder, "-m", "first", "-n", "ns_1", "--base-url", accepting.url)

    assert (ran.code, ran.out.splitlines()[0]) == (0, "small_one_1_2_0")
    assert accepting.routes() == [f"POST {BASE}/uploads", "PUT /put", f"POST {BASE}/uploads/up_1/confirm"]
    assert accepting.asked[2].json["message"] == "first"
