"""An index belongs to the vocabulary it was made over."""

import pytest
from scipy.sparse import csr_matrix

from kosparse.corpus.units import UNITS_FILE
from kosparse.errors import InputError
from kosparse.jsonl import read_json, write_json, write_records
from kosparse.records import Passage
from kosparse.sparse.model import load_sparse_model
from kosparse.sparse.search import SparseIndex
from tests.fakes.tiny_sparse_encoder import TEXTS, write_tiny_morpheme_encoder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_morpheme_encoder(tmp_path_factory.mktemp("search"))


@pytest.fixture
def opened(model, tmp_path):
    """Makes the index once, and opens it again."""
    passages = tmp_path / "passages.jsonl"
    write_records(passages, (Passage(id=f"{n}#0", document_id=str(n), position=0, text=t) for n, t in enumerate(TEXTS)))
    SparseIndex.open(model, passages, tmp_path / "index")
    return lambda: SparseIndex.open(model, passages, tmp_path / "index")


def test_an_index_opens_with_the_model_it_was_made_by(opened):
    assert [hit.document_id for hit in opened().search("셀 보호", 1)] == ["0"]


def test_as_many_terms_in_another_order_are_another_vocabulary(model, opened, tmp_path):
    units = sorted(model.rglob(UNITS_FILE))
    before = [read_json(path) for path in units]
    try:
        for path, names in zip(units, before, strict=True):
            write_json(path, names[::-1])
        with pytest.raises(InputError, match="the index is over other terms") as caught:
            opened()
    finally:
        for path, names in zip(units, before, strict=True):
            write_json(path, names)
    assert f"({len(before[0])})" in caught.value.what and caught.value.where == str(tmp_path / "index")


def test_an_index_without_a_hash_has_its_shape_checked(opened, tmp_path):
    path = tmp_path / "index" / "passages.json"
    kept = read_json(path)
    del kept["terms_sha256"]
    write_json(path, kept)
    assert len(opened().passage_ids) == len(TEXTS)


def test_another_number_of_terms_is_another_vocabulary(model):
    loaded = load_sparse_model(model)
    with pytest.raises(InputError, match=r"the index has shape \(1, 3\), passages and model give"):
        SparseIndex(loaded, csr_matrix((1, 3)), ["a#0"], ["a"])
