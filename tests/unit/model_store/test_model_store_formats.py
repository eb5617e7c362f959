"""Checking weights without loading them: what is sound passes, what lies is refused in words."""

from __future__ import annotations

import os
import pickle
import struct
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from factories.minilm import minilm_files
from factories.weights import STATE_DICT, TENSOR, external, field, onnx, safetensors, torch_zip
from mixpeek.model_store.formats import ModelFormat, check_hub_files, check_model, is_safe_file
from mixpeek.model_store.onnx_file import fault_of_onnx
from mixpeek.model_store.safetensors_file import fault_of_safetensors
from mixpeek.model_store.torch_file import fault_of_torch, is_torch_zip

TWO = {"a": {**TENSOR, "data_offsets": [0, 8]}, "b": {**TENSOR, "data_offsets": [8, 16]}}


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def one(folder: Path, content: bytes) -> Path:
    return written(folder, {"file": content}) / "file"


@pytest.mark.parametrize(
    "content",
    [
        safetensors(),
        safetensors({"__metadata__": {"format": "pt"}, "weight": TENSOR}),
        safetensors(TWO, bytes(16)),
        save({"weight": np.ones((3, 4), dtype=np.float16), "empty": np.zeros((0, 4), dtype=np.int64)}),
    ],
)
def test_sound_safetensors_pass(tmp_path: Path, content: bytes) -> None:
    assert fault_of_safetensors(one(tmp_path, content)) is None


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\x08\x00", "ends before its header"),
        (safetensors(length=2**63), "claims"),
        (safetensors(length=10**6), "claims"),
        (safetensors(b"[1]"), "not a JSON object"),
        (safetensors(b"{"), "not usable JSON"),
        (safetensors(b'{"a":' * 100_000), "not usable JSON"),
        (safetensors(b'{"a":' + b"9" * 5000 + b"}"), "not usable JSON"),
        (safetensors(b'{"a": {}, "a": {}}'), "twice"),
        (safetensors({}), "no tensor"),
        (safetensors({"__metadata__": {"format": 1}, "weight": TENSOR}), "__metadata__"),
        (safetensors({"weight": {**TENSOR, "code": "x"}}), "not exactly"),
        (safetensors({"weight": {**TENSOR, "dtype": "F128"}}), "unknown dtype"),
        (safetensors({"weight": {**TENSOR, "dtype": ["F32"]}}), "unknown dtype"),
        (safetensors({"weight": {**TENSOR, "shape": [True, 2]}}), "no valid shape"),
        (safetensors({"weight": {**TENSOR, "shape": [-1, -2]}}), "no valid shape"),
        (safetensors({"weight": {**TENSOR, "shape": [1] * 40}}), "no valid shape"),
        (safetensors({"weight": {**TENSOR, "shape": [2**62, 2**62]}}), "another size"),
        (safetensors({"weight": {**TENSOR, "data_offsets": [0, 16]}}), "another size"),
        (safetensors({"weight": {**TENSOR, "data_offsets": [8, 0]}}), "another size"),
        (safetensors({"a": TENSOR, "b": TENSOR}), "overlaps"),
        (safetensors({"a": {**TENSOR, "data_offsets": [4, 12]}}, bytes(12)), "gap"),
        (safetensors(data=bytes(4)), "the file holds 4"),
        (safetensors(data=bytes(40)), "the file holds 40"),
    ],
)
def test_safetensors_that_lie_are_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    assert fault in (fault_of_safetensors(one(tmp_path, content)) or "")


def test_a_header_of_two_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = one(tmp_path, (2**31).to_bytes(8, "little"))
    os.truncate(path, 2**31 + 64)  # sparse: it takes no room

    tracemalloc.start()
    fault = fault_of_safetensors(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert "more than 16777216" in (fault or "")
    assert peak < 1_000_000


def test_a_real_onnx_model_passes(tmp_path: Path) -> None:
    assert fault_of_onnx(one(tmp_path, minilm_files()["model.onnx"]), frozenset()) is None


def test_external_data_beside_the_model_passes(tmp_path: Path) -> None:
    path = one(tmp_path, onnx(field(5, external("weights/part.data"))))

    assert fault_of_onnx(path, frozenset({"weights/part.data"})) is None


# A tensor can also stand in an attribute of a node, in a graph of an attribute, in a function.
IN_ATTRIBUTE = field(1, field(5, field(5, external("../secret"))))
NESTED = onnx(field(1, field(5, field(6, IN_ATTRIBUTE))))
DEEP = b""
for _ in range(40):
    DEEP = field(1, field(5, field(6, DEEP)))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty"),
        (b"not a model at all", "protobuf|reaches beyond|no ONNX model"),
        (field(1, 8) + field(7, b""), "no operator set"),
        (field(1, 8) + field(8, b""), "no graph"),
        (onnx()[:-1], "reaches beyond|ends in"),
        (onnx() + b"\x0a\xff\xff\xff\xff\x0f", "reaches beyond"),
        (onnx() + b"\xff" * 11, "too long"),
        (onnx() + b"\x0b", "not well-formed"),
        (field(1, 8) + field(7, 1) + field(8, b""), "no message"),
        (onnx(field(5, external("/etc/passwd"))), "outside"),
        (onnx(field(5, external("../../secret"))), "outside"),
        (onnx(field(15, field(1, external("../secret")))), "outside"),
        (onnx(IN_ATTRIBUTE), "outside"),
        (NESTED, "outside"),
        (onnx(b"", field(25, field(7, field(5, field(5, external("../secret")))))), "outside"),
        (onnx(field(5, external("gone.data"))), "not in the archive"),
        (onnx(field(5, external("x" * 5000))), "too long"),
        (onnx(DEEP), "nested"),
    ],
)
def test_onnx_files_that_lie_or_reach_out_are_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    found = fault_of_onnx(one(tmp_path, content), frozenset())

    assert any(words in (found or "") for words in fault.split("|")), found


def test_a_state_dict_passes_and_is_told_from_an_archive(tmp_path: Path) -> None:
    path = one(tmp_path, torch_zip(files={"archive/byteorder": b"little", "archive/.data/serialization_id": b"1"}))

    assert fault_of_torch(path) is None
    assert is_torch_zip(path)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("echo unpickled",)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (pickle.dumps({"weight": 1}), "no zip"),
        (b"PK" + bytes(100), "directory at its end is missing"),
        (torch_zip()[:-30], "directory at its end is missing"),
        (torch_zip(pickle.dumps(Evil(), protocol=2)), "names 'posix system'"),
        (torch_zip(pickle.dumps(Evil(), protocol=4)), "STACK_GLOBAL"),
        (torch_zip(b"(S'echo'\nios\nsystem\n."), "INST"),
        (torch_zip(STATE_DICT.replace(b"ctorch\nFloatStorage\n", b"cbuiltins\neval\n")), "names 'builtins eval'"),
        (torch_zip(STATE_DICT[:-1]), "no zip that can be read"),
        (torch_zip(files={"archive/code/model.py": b"x"}), "TorchScript"),
        (torch_zip(files={"archive/constants.pkl": b"x"}), "TorchScript"),
        (torch_zip(packed=True), "compressed"),
        (torch_zip(files={"archive/more/data.pkl": b"x"}), "no state dict"),
        (torch_zip(files={"data.pkl": b"x"}), "not inside"),
        (torch_zip(files={"../data/1": b"x"}), "not inside"),
    ],
)
def test_torch_files_with_more_than_tensors_are_refused_unopened(tmp_path: Path, content: bytes, fault: str) -> None:
    assert fault in (fault_of_torch(one(tmp_path, content)) or "")


def test_a_zip64_directory_is_measured_before_it_is_loaded(tmp_path: Path) -> None:
    sound = torch_zip()
    end = sound[-22:]
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**9, 10**9, 2**40, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(sound) - 22, 1)

    fault = fault_of_torch(one(tmp_path, sound[:-22] + record + locator + end))

    assert "entries" in (fault or "")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.data())
def test_no_damage_makes_a_check_raise(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([safetensors(TWO, bytes(16)), NESTED, torch_zip()])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = one(tmp_path, bytes(content))

    for fault in (fault_of_safetensors(path), fault_of_onnx(path, frozenset()), fault_of_torch(path)):
        assert fault is None or fault


@pytest.mark.parametrize(
    ("form", "files", "rules"),
    [
        (ModelFormat.ONNX, {"model.onnx": onnx(), "tokenizer.json": b"{}", "vocab.txt": b""}, []),
        (ModelFormat.SAFETENSORS, {"a.safetensors": safetensors(), "b.safetensors": safetensors()}, []),
        (ModelFormat.PYTORCH, {"model.pt": torch_zip()}, []),
        (ModelFormat.HUGGINGFACE, {"config.json": b"{}", "model.safetensors": safetensors(), "LICENSE": b""}, []),
        (ModelFormat.HUGGINGFACE, {"config.json": b"{}", "onnx/model.onnx": onnx()}, []),
        (ModelFormat.ONNX, {"a.onnx": onnx(), "b.onnx": onnx()}, ["model.many_weights"]),
        (ModelFormat.ONNX, {"model.safetensors": safetensors()}, ["model.no_weights", "model.file_type"]),
        (ModelFormat.HUGGINGFACE, {"model.safetensors": safetensors()}, ["model.no_config"]),
        (ModelFormat.HUGGINGFACE, {"config.json": b"[", "a.safetensors": safetensors()}, ["model.damaged"]),
        (ModelFormat.HUGGINGFACE, {"config.json": b"{}", "a.onnx": onnx(), "modeling.py": b""}, ["model.file_type"]),
        (ModelFormat.HUGGINGFACE, {"config.json": b"{}", "a.onnx": onnx(), "a.bin": b""}, ["model.file_type"]),
        (ModelFormat.SAFETENSORS, {"a.safetensors": b"x"}, ["model.damaged"]),
    ],
)
def test_a_folder_is_a_model_of_its_format_or_says_why_not(
    tmp_path: Path, form: ModelFormat, files: dict[str, bytes], rules: list[str]
) -> None:
    assert [finding.rule for finding in check_model(written(tmp_path, files), form)] == rules


def test_of_a_hub_only_files_that_cannot_hold_code_are_taken(tmp_path: Path) -> None:
    taken = ["model.safetensors", "onnx/model.onnx", "tokenizer.json", "vocab.txt", "spiece.model", "LICENSE"]
    left = ["pytorch_model.bin", "model.pt", "modeling.py", "tf_model.h5", "model.pkl", "run.sh"]

    assert [path for path in (*taken, *left) if is_safe_file(path)] == taken
    assert [f.rule for f in check_hub_files(written(tmp_path, {"a.onnx": b"x"}))] == ["model.damaged"]
