"""A real S3 server of one's own: SeaweedFS, from a wheel, in one process; killed and started again at will."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factories.waiting import until

WEED = str(Path(sys.executable).with_name("weed"))
ACCESS_KEY, SECRET_KEY, BUCKET = "test-access", "test-secret", "objects"


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@dataclass
class Seaweed:
    """One server and its folder; started again it listens where it did before."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    ports: list[int] = field(default_factory=lambda: free_ports(9))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def url(self) -> str:
        """What `MIXPEEK_OBJECTS_URL` is set to."""
        return f"s3://{BUCKET}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that its clients find it by."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": "us-east-1",
        }

    def start(self, *, within_s: float = 90.0) -> Seaweed:
        """Start, and return once the bucket can be written to."""
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        config = self.folder / "s3.json"
        credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        config.write_text(
            json.dumps({"identities": [{"name": "test", "credentials": credentials, "actions": actions}]})
        )
        s3, s3_grpc, filer, filer_grpc, master, master_grpc, volume, volume_grpc, public = self.ports
        options: dict[str, Any] = {
            "dir": data,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "master.port": master,
            "master.port.grpc": master_grpc,
            "master.volumeSizeLimitMB": 64,
            "master.electionTimeout": "1s",
            "master.telemetry": "false",
            "volume.port": volume,
            "volume.port.grpc": volume_grpc,
            "volume.max": 20,
            "filer.port": filer,
            "filer.port.grpc": filer_grpc,
            "filer.port.public": public,
            "s3": "true",
            "s3.port": s3,
            "s3.port.grpc": s3_grpc,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": config,
        }
        with (self.folder / "seaweed.log").open("ab") as log:
            self.process = subprocess.Popen(
                [WEED, "server", *(f"-{name}={value}" for name, value in options.items())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        until(self._is_ready, what=f"SeaweedFS answers; see {self.folder / 'seaweed.log'}", within_s=within_s)
        return self

    def kill(self) -> None:
        """Send SIGKILL, as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def list_keys(self) -> list[str]:
        """Return what lies in the bucket."""
        import obstore

        return sorted(item["path"] for page in obstore.list(self.store()) for item in page)

    def store(self) -> Any:
        """Return the bucket as obstore opens it."""
        from obstore.store import S3Store

        return S3Store(
            BUCKET,
            endpoint=self.endpoint,
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            region="us-east-1",
            client_options={"allow_http": True, "timeout": "5s"},
            retry_config={"max_retries": 0},
        )

    def _is_ready(self) -> bool:
        import obstore
        from obstore.exceptions import BaseError

        assert self.process is not None
        assert self.process.poll() is None, f"SeaweedFS ended; see {self.folder / 'seaweed.log'}"
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", self.ports[0])):
                return False
        try:
            obstore.put(self.store(), "probe", b"x", use_multipart=False)
            obstore.get(self.store(), "probe").bytes()
            obstore.delete(self.store(), "probe")
        except (BaseError, OSError):
            return False
        return True

    def discard(self) -> None:
        """End it."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
