"""What this plugin promises, checked on real documents and the real model."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from plugin.manifest import DocumentPagesParams, explodes, features
from plugin.pipeline import build_steps
from plugin.processors.core import VECTOR, DocumentPagesProcessor
from plugin.processors.encoder import DIMENSIONS
from plugin.processors.pages import cut, read_passages
from plugin.realtime import RealtimeHandler
from pypdf import PdfWriter
from pypdf.errors import PyPdfError

SAMPLES = Path(__file__).parent.parent / "samples"
GARDEN, SORTING = str(SAMPLES / "garden.pdf"), str(SAMPLES / "sorting.pdf")


def run(*addresses, **params):
    names = [f"doc_{number}" for number in range(len(addresses))]
    return DocumentPagesProcessor(DocumentPagesParams(**params))(
        pd.DataFrame({"document_id": names, "data": addresses})
    )


def pdf(pages=0, password=None):
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(100, 100)
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    file = BytesIO()
    writer.write(file)
    return f"data:application/pdf;base64,{b64encode(file.getvalue()).decode()}"


def test_the_manifest_declares_the_vector_that_the_processor_writes_for_each_part():
    assert [(f["feature_name"], f["embedding_dim"]) for f in features] == [(VECTOR, DIMENSIONS)]
    assert explodes


def test_the_pipeline_has_one_step_and_refuses_a_parameter_out_of_range():
    def request(**parameters):
        return SimpleNamespace(extractor_config=SimpleNamespace(parameters=parameters))

    assert len(build_steps(request(passage_words=50))["steps"]) == 1
    with pytest.raises(ValueError, match="passage_words"):
        build_steps(request(passage_words=1))


def test_every_page_of_every_document_becomes_a_row_that_says_where_it_stands():
    made = run(GARDEN, SORTING)

    places = list(zip(made["document_id"], made["page"], made["passage"], made["page_count"], strict=True))
    assert places == [
        ("doc_0", 1, 1, 3),
        ("doc_0", 2, 1, 3),
        ("doc_0", 3, 1, 3),
        ("doc_1", 1, 1, 2),
        ("doc_1", 2, 1, 2),
    ]
    assert np.allclose(np.linalg.norm(np.stack(made[VECTOR]), axis=1), 1, atol=1e-5)


def test_a_question_is_nearest_to_the_page_that_answers_it():
    made = run(GARDEN, SORTING)
    question = np.array(RealtimeHandler().predict({"text": "How often do tomatoes need water?"})["embedding"])

    best = int((np.stack(made[VECTOR]) @ question).argmax())
    assert (made["document_id"][best], made["page"][best]) == ("doc_0", 2)


def test_a_long_page_becomes_several_passages_of_about_equal_length_and_loses_no_word():
    text = " ".join(f"word{number}" for number in range(25))

    passages = list(cut(text, 10))

    assert [len(passage.split()) for passage in passages] == [8, 8, 9]
    assert " ".join(passages) == text
    assert list(cut(" \n", 10)) == []


def test_passages_count_on_from_one_on_each_page():
    passages = read_passages(GARDEN, 10)

    assert [passage.number for passage in passages if passage.page == 2][:2] == [1, 2]


def test_a_document_without_text_has_no_parts_and_the_others_keep_theirs():
    made = run(pdf(pages=2), SORTING)

    assert set(made["document_id"]) == {"doc_1"}
    assert run(pdf(pages=2)).empty


@pytest.mark.parametrize("address", [pdf(pages=1, password="secret"), "data:application/pdf;base64,bm90IGEgcGRm"])
def test_a_locked_or_broken_document_is_the_fault_of_its_row(address):
    with pytest.raises(PyPdfError):
        run(address)


def test_realtime_reads_the_first_passage_of_a_document():
    one = RealtimeHandler().predict({"document": SORTING})["embedding"]

    assert np.allclose(one, run(SORTING)[VECTOR][0], atol=1e-5)


@pytest.mark.parametrize("request_", [{}, {"text": " "}, {"document": 3}])
def test_realtime_says_what_to_send(request_):
    with pytest.raises(ValueError, match="Send"):
        RealtimeHandler().predict(request_)
