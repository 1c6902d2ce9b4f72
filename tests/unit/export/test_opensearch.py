import json

import pytest

from kosparse.errors import InputError
from kosparse.export import opensearch_json as body
from kosparse.export.hashing import folder_hash
from kosparse.export.opensearch import verify_bundle, write_bundle
from kosparse.jsonl import write_lines


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A folder to write a bundle in; its model is none, so that the zips are left to test_ml_commons."""
    monkeypatch.setattr(
        "kosparse.export.opensearch.write_ml_commons", lambda folder, *_, **__: write_lines(folder / "zip.txt", [])
    )
    (tmp_path / "model" / "query_0").mkdir(parents=True)
    (tmp_path / "model" / "modules.json").write_text("[]")
    (tmp_path / "model" / "query_0" / "config.json").write_text("{}")
    (tmp_path / "synonyms").mkdir()
    (tmp_path / "synonyms" / "synonyms.txt").write_text("셀, cell\n", encoding="utf-8")
    return tmp_path


def _write(folder, **changes):
    arguments = {
        "model": folder / "model",
        "idf": {"▁셀": 2.0, "▁표": 1.0},
        "query_weights": {"▁셀": 2.5},
        "terms": ["표", "셀"],
        "synonyms": folder / "synonyms",
        "example": ({"셀": 2.5, "없음": 0.0}, {"셀": 0.123456}),
        "fusion_weight": 0.25,
    }
    return write_bundle(folder / "bundle", **{**arguments, **changes})


def test_the_bundle_holds_model_weights_synonyms_and_requests(bundle):
    manifest = _write(bundle)
    assert {
        "README.md",
        "idf.json",
        "corpus_idf.json",
        "sparse_encoder/modules.json",
        "sparse_encoder/query_0/config.json",
        "synonyms/synonyms.txt",
        "ml_commons/zip.txt",
        "opensearch/index_template.json",
        "opensearch/ingest_pipeline.json",
        "opensearch/search_pipeline.json",
        "opensearch/examples/passage.json",
        "opensearch/examples/sparse_query.json",
        "opensearch/examples/sparse_query_by_text.json",
        "opensearch/examples/hybrid_query.json",
        "opensearch/sparse_vector/index_template.json",
        "opensearch/sparse_vector/search_pipeline.json",
        "opensearch/sparse_vector/terms.json",
        "opensearch/sparse_vector/examples/passage.json",
        "opensearch/sparse_vector/examples/sparse_query.json",
        "opensearch/sparse_vector/examples/hybrid_query.json",
    } == set(manifest["files"])
    assert json.loads((bundle / "bundle" / "idf.json").read_text(encoding="utf-8")) == {"▁셀": 2.5}
    assert json.loads((bundle / "bundle" / "corpus_idf.json").read_text(encoding="utf-8"))["▁표"] == 1.0


def test_weights_of_zero_are_left_out_because_rank_features_refuses_them(bundle):
    _write(bundle)
    query = json.loads((bundle / "bundle/opensearch/examples/sparse_query.json").read_text(encoding="utf-8"))
    assert query["query"]["neural_sparse"]["sparse"]["query_tokens"] == {"셀": 2.5}
    assert query["collapse"] == {"field": "document_id"}


def test_a_changed_missing_or_added_file_is_found(bundle):
    _write(bundle)
    folder = bundle / "bundle"
    assert verify_bundle(folder) == []
    (folder / "idf.json").write_text("{}")
    (folder / "synonyms" / "synonyms.txt").unlink()
    (folder / "extra.txt").write_text("x")
    assert verify_bundle(folder) == [
        "extra.txt: not in the manifest",
        "idf.json: changed",
        "synonyms/synonyms.txt: missing",
    ]


def test_an_encoder_that_needs_the_network_for_queries_exports_the_corpus_idf(bundle):
    _write(bundle, query_weights=None)
    assert json.loads((bundle / "bundle" / "idf.json").read_text(encoding="utf-8")) == {"▁셀": 2.0, "▁표": 1.0}
    assert "for reference only" in (bundle / "bundle" / "README.md").read_text(encoding="utf-8")


def test_what_a_cluster_would_need_kiwi_for_is_left_out(bundle):
    (bundle / "model" / "query_0_MorphemeQuery").mkdir()
    manifest = _write(bundle)

    left_out = {"ingest_pipeline.json", "sparse_query_by_text.json", "zip.txt"}
    assert not left_out & {name.rpartition("/")[2] for name in manifest["files"]}
    text = (bundle / "bundle" / "README.md").read_text(encoding="utf-8")
    assert "load_sparse_model" in text and "SPARSE_TOKENIZE" not in text


def test_a_folder_that_is_no_model_is_refused(bundle):
    (bundle / "model" / "modules.json").unlink()
    with pytest.raises(InputError, match="modules.json"):
        _write(bundle)


def test_an_idf_of_another_vocabulary_is_refused(bundle):
    with pytest.raises(InputError, match="share no token"):
        _write(bundle, idf={"##ell": 1.0})


def test_fusion_weights_stand_in_the_order_of_the_hybrid_querys_parts():
    combination = body.search_pipeline(0.3)["phase_results_processors"][0]["normalization-processor"]["combination"]
    assert combination["parameters"]["weights"] == [0.7, 0.3]
    lexical, sparse = body.hybrid_query("셀", {"셀": 1.0})["query"]["hybrid"]["queries"]
    assert "match" in lexical and "neural_sparse" in sparse


def test_synonyms_are_applied_when_searching_only():
    analyzers = body.index_template()["template"]["settings"]["analysis"]["analyzer"]
    assert "kosparse_synonyms" in analyzers["kosparse_search"]["filter"]
    assert "kosparse_synonyms" not in analyzers["kosparse_index"]["filter"]


def test_a_folders_hash_depends_on_names_and_contents(tmp_path):
    for name, content in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{'x' if name != 'b' else 'y'}.txt").write_text(content)
    hashes = {folder_hash(tmp_path / name) for name in "abc"}
    assert len(hashes) == 3
