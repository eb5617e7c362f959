"""Every template of `plugin init`, without a network, from nothing to a search that finds one of its own samples.

The image and the document template are walked through by their how-to page, which is executed; the others here.
"""

from __future__ import annotations

import io
import json
import wave
from base64 import b64encode
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from factories.commands import Command
from factories.pages import run_page
from factories.platform import all_documents, run_batch, unique
from factories.servers import Server
from mixpeek import Mixpeek
from mixpeek.client.files import files_in
from mixpeek.scaffolds import TEMPLATES

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto" / "write-a-media-extractor.md"
NAME = "my_extractor"


def published(mix: Command, category: str, tmp_path: Path) -> Path:
    """Have a plugin made, tested and deployed with the command, not one file edited; return its folder."""
    folder = tmp_path / NAME
    for ran in (
        mix("plugin", "init", NAME, "--category", category),
        mix("plugin", "test", "--sample-data", "samples.json", "--json", cwd=folder),
        mix("plugin", "publish", cwd=folder),
    ):
        assert ran.code == 0, ran.out + ran.err
        if "checks" in ran.out:
            assert {check["status"] for check in ran.json["checks"]} == {"passed"}, ran.out
    return folder


def samples_of(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / "samples.json").read_text())
    return rows


def filled(client: Mixpeek, properties: dict[str, str], **mappings: str) -> Any:
    """Make a bucket of these properties, and a collection over it that keeps each object's name."""
    schema = {"properties": {"name": {"type": "string"}} | {name: {"type": kind} for name, kind in properties.items()}}
    bucket = client.buckets.create(unique("files"), schema)
    return bucket, client.collections.create(
        unique("collection"),
        source={"type": "bucket", "bucket_ids": [bucket.bucket_id]},
        feature_extractor={
            "feature_extractor_name": NAME,
            "version": "1.0.0",
            "field_passthrough": ["name"],
            **({"input_mappings": mappings} if mappings else {}),
        },
    )


def uploaded(client: Mixpeek, folder: Path, kind: str) -> Any:
    """Put a template's sample files into a bucket, run its extractor over them, and return the collection."""
    bucket, collection = filled(client, {kind: kind})
    for file in files_in([folder / "samples"]):
        assert client.buckets.upload_file(bucket.bucket_id, file, metadata={"name": file.path.name}).object_id
    task = run_batch(client, collection)
    assert task.status == "COMPLETED", task.error
    return collection


def found(client: Mixpeek, collection: Any, mode: str, query: str, feature: int = 0) -> Any:
    """Return the document nearest to a query, `text` or `content`, in one of the collection's vector indexes."""
    search = {
        "feature_uri": collection.vector_indexes[feature]["feature_uri"],
        "query": {"input_mode": mode, "value": "{{INPUT.query}}"},
    }
    answer = client.retrievers.execute_ad_hoc(
        [{"stage_name": "search", "config": {"stage_id": "feature_search", "parameters": {"searches": [search]}}}],
        {"query": query},
        collection_identifiers=[collection.collection_id],
        input_schema={"query": {"type": "text", "required": True}},
    )
    return answer.documents[0]


def address(mime_type: str, content: bytes) -> str:
    return f"data:{mime_type};base64,{b64encode(content).decode()}"


def test_texts_are_found_by_meaning(mix: Command, client: Mixpeek, tmp_path: Path) -> None:
    folder = published(mix, "text", tmp_path)
    bucket, collection = filled(client, {"content": "text"}, text="content")
    texts = [row["text"] for row in samples_of(folder)]
    client.objects.create_batch(
        bucket.bucket_id,
        [{"name": text, "blobs": [{"property": "content", "type": "text", "data": text}]} for text in texts],
    )

    task = run_batch(client, collection)

    assert task.status == "COMPLETED", task.error
    assert found(client, collection, "text", "my plants need rain").name == texts[2]
    assert client.plugins.status(f"{NAME}_1_0_0").status == "DEPLOYED"
    assert NAME in mix("plugin", "list", "--source", "custom").out


def test_sounds_are_found_by_a_sound(mix: Command, client: Mixpeek, tmp_path: Path) -> None:
    collection = uploaded(client, published(mix, "audio", tmp_path), "audio")
    rain = io.BytesIO()
    with wave.open(rain, "wb") as file:
        file.setparams((2, 2, 44_100, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(1).normal(0, 900, 2 * 30_000).astype("<i2").tobytes())

    nearest = found(client, collection, "content", address("audio/wav", rain.getvalue()))

    assert nearest.name == "rain.ogg"
    assert nearest.duration_s == pytest.approx(1, abs=0.05)


def test_scenes_are_found_by_a_still_picture(mix: Command, client: Mixpeek, tmp_path: Path) -> None:
    folder = published(mix, "video", tmp_path)
    collection = uploaded(client, folder, "video")
    with av.open(str(folder / "samples" / "evening.mp4")) as video:
        frame = next(frame for frame in video.decode(video=0) if (frame.time or 0) > 1.4)
        picture = io.BytesIO()
        frame.to_image().resize((300, 200)).save(picture, "PNG")

    nearest = found(client, collection, "content", address("image/png", picture.getvalue()))

    assert (nearest.name, nearest.scene, nearest.start_s) == ("evening.mp4", 2, 1)
    assert len(all_documents(client, collection)) == 3


def test_captioned_pictures_are_found_by_words_and_by_a_picture(mix: Command, client: Mixpeek, tmp_path: Path) -> None:
    folder = published(mix, "multimodal", tmp_path)
    bucket, collection = filled(client, {"caption": "text", "picture": "image"}, text="caption", image="picture")
    addresses = {}
    for row in samples_of(folder):
        addresses[row["image"]] = address(row["mime_type"], (folder / row["image"]).read_bytes())
        blobs = [
            {"property": "caption", "type": "text", "data": row["text"]},
            {"property": "picture", "type": "image", "data": addresses[row["image"]]},
        ]
        client.objects.create(bucket.bucket_id, blobs, name=row["image"])

    task = run_batch(client, collection)

    assert task.status == "COMPLETED", task.error
    assert found(client, collection, "text", "dusk at the ocean").name == "samples/sunset.jpg"
    assert found(client, collection, "content", addresses["samples/tiles.png"], feature=1).name == "samples/tiles.png"


def test_the_page_on_files_does_what_it_shows(server: Server, client: Mixpeek, tmp_path: Path) -> None:
    run_page(HOWTO, server, client, tmp_path)


def test_no_template_is_left_out() -> None:
    walked = set(TEMPLATES) & {"text", "audio", "video", "multimodal"}
    on_the_page = {category for category in TEMPLATES if f"--category {category}\n" in HOWTO.read_text()}

    assert walked | on_the_page == set(TEMPLATES)
