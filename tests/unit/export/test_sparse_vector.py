"""What is sent to a field of type ``sparse_vector``, as OpenSearch 3.3 documents it."""

import pytest

from kosparse.export import opensearch_json as plain
from kosparse.export import sparse_vector as ann
from kosparse.jsonl import read_json

TERMS = ["표", "셀", "보호"]
QUERY, PASSAGE = {"셀": 2.5, "보호": 6.2}, {"셀": 0.9, "표": 0.1}
RANGES = {
    "n_postings": (0, float("inf")),
    "cluster_ratio": (0, 1),
    "summary_prune_ratio": (0, 1),
    "approximate_threshold": (-1, float("inf")),
    "quantization_ceiling_search": (0, float("inf")),
    "quantization_ceiling_ingest": (0, float("inf")),
}
"""Parameters of the algorithm, and what they lie between."""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sparse_vector")
    ann.write_sparse_vector(folder, TERMS, QUERY, (QUERY, PASSAGE), ("셀 보호", "셀을 보호합니다."), 0.8)
    return {path.relative_to(folder).as_posix(): read_json(path) for path in folder.rglob("*.json")}


def test_the_index_is_sparse_and_its_field_names_the_algorithm(written):
    template = written["index_template.json"]["template"]
    assert template["settings"]["index"] == {"sparse": True}
    field = template["mappings"]["properties"]["sparse"]
    assert (field["type"], field["method"]["name"]) == ("sparse_vector", "seismic")
    for name, value in field["method"]["parameters"].items():
        low, high = RANGES[name]
        assert low < value < high


def test_all_else_is_mapped_as_for_rank_features(written):
    ours, other = (each["template"] for each in (written["index_template.json"], plain.index_template()))
    assert ours["settings"]["analysis"] == other["settings"]["analysis"]
    fields = ours["mappings"]["properties"]
    assert {**fields, "sparse": {"type": "rank_features"}} == other["mappings"]["properties"]


def test_it_goes_before_the_plainer_template_whose_pattern_covers_its_own(written):
    assert written["index_template.json"]["index_patterns"] == ["kosparse-ann-*"]
    assert plain.INDEX_PATTERN == "kosparse-*"
    assert written["index_template.json"]["priority"] > plain.index_template().get("priority", 0)


def test_terms_are_numbers_that_stand_for_names(written):
    tokens = written["examples/sparse_query.json"]["query"]["neural_sparse"]["sparse"]["query_tokens"]
    assert tokens == {"1": 2.5, "2": 6.2}
    assert {written["terms.json"][int(number)]: weight for number, weight in tokens.items()} == QUERY
    assert written["examples/passage.json"]["sparse"] == {"1": 0.9, "0": 0.1}


def test_a_query_says_how_far_it_looks(written):
    asked = written["examples/sparse_query.json"]["query"]["neural_sparse"]["sparse"]
    assert set(asked["method_parameters"]) == {"k", "top_n", "heap_factor"}
    lexical, sparse = written["examples/hybrid_query.json"]["query"]["hybrid"]["queries"]
    assert lexical == {"match": {"text": {"query": "셀 보호"}}}
    assert sparse["neural_sparse"]["sparse"] == asked
    assert written["examples/hybrid_query.json"]["collapse"] == {"field": "document_id"}


def test_two_phase_scoring_is_left_out_of_its_pipeline(written):
    assert "request_processors" not in written["search_pipeline.json"]
    fused = plain.search_pipeline(0.8)["phase_results_processors"]
    assert written["search_pipeline.json"]["phase_results_processors"] == fused


def test_no_weight_of_the_model_is_cut_by_its_ceiling(written):
    # 6.2 is above the 3 that OpenSearch recommends for queries an encoder weighs: cut to it, 보호 would weigh no more
    # than a word of 3.
    field = written["index_template.json"]["template"]["mappings"]["properties"]["sparse"]
    ceilings = field["method"]["parameters"]
    assert ceilings["quantization_ceiling_search"] == 7.0 >= max(QUERY.values())
    assert ceilings["quantization_ceiling_ingest"] == 3.0


@pytest.mark.parametrize(("activation", "expected"), [("log1p_relu", 1.977), ("relu", 6.217)])
def test_the_largest_passage_weight_a_model_gives_in_practice_is_below_the_ceiling(activation, expected, tmp_path):
    import torch

    from kosparse.sparse.activation import Activation

    # log(1 + 500) = 6.22 and log(1 + 6.22) = 1.98: a logit a hundred times those of a trained model.
    heaviest = float(Activation(activation)(torch.tensor(500.0)))
    ann.write_sparse_vector(tmp_path, TERMS, None, (QUERY, PASSAGE), ("셀", "셀"), 0.8, activation=activation)
    field = read_json(tmp_path / "index_template.json")["template"]["mappings"]["properties"]["sparse"]
    ceiling = field["method"]["parameters"]["quantization_ceiling_ingest"]
    assert heaviest == pytest.approx(expected, abs=1e-3) and heaviest < ceiling < expected + 1.1
