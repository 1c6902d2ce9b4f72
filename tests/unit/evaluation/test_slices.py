import pytest

from kosparse.evaluation.judgements import Judgements
from kosparse.evaluation.slices import length, overlap, script, shape, slice_results

JUDGEMENTS = Judgements(
    queries={"a": "셀 보호", "b": "PDF 내보내기", "c": "표를 어떻게 나누나요?"},
    qrels={"a": {"d1": 1}, "b": {"d2": 1, "d1": 0}, "c": {"d2": 2}},
    kind="real",
    split="test",
    left_out={},
)
QUERY_TERMS = {"a": ["셀", "보호"], "b": ["pdf", "내보내"], "c": ["표", "어떻게", "나누"]}
DOCUMENT_TERMS = {"d1": ["셀", "보호", "pdf"], "d2": ["내보내", "파일"]}


def _values(sparse, bm25):
    return {
        name: {"ndcg@10": dict(zip("abc", column, strict=True))}
        for name, column in (("sparse", sparse), ("bm25_kiwi", bm25))
    }


@pytest.fixture
def found():
    rows = slice_results(
        JUDGEMENTS, _values([1, 0.5, 0], [0.5, 0.5, 1]), QUERY_TERMS, DOCUMENT_TERMS, permutations=100, seed=13
    )
    return {(row.by, row.name): row for row in rows}


def test_every_query_stands_in_one_slice_of_each_way(found):
    for by in ("script", "shape", "length", "overlap"):
        assert sum(row.queries for (way, _), row in found.items() if way == by) == 3


def test_a_slice_holds_the_means_of_its_own_queries(found):
    korean = found["script", "Korean"]
    assert korean.queries == 2 and korean.systems == {"sparse": 0.5, "bm25_kiwi": 0.75}
    assert korean.difference == pytest.approx(-0.25) and (korean.better, korean.worse) == (1, 1)
    assert found["script", "mixed"].difference == 0
    assert found["shape", "question"].queries == 1


def test_overlap_looks_at_relevant_documents_only(found):
    assert found["overlap", "all"].queries == 1  # "a" in d1
    assert found["overlap", "some"].queries == 1  # "b": d1 holds pdf but is judged 0
    assert found["overlap", "none"].queries == 1


def test_a_correction_is_never_below_its_p(found):
    assert all(row.p <= row.p_corrected <= 1 for row in found.values())


@pytest.mark.parametrize(
    ("query", "kind"), [("셀 보호", "Korean"), ("PDF 파일", "mixed"), ("cell", "no Hangul"), ("123", "no Hangul")]
)
def test_script(query, kind):
    assert script(query) == kind


@pytest.mark.parametrize(
    ("query", "kind"),
    [("표를 나눌 수 있나요", "question"), ("왜?", "question"), ("까마귀", "phrase"), ("표 나누기", "phrase")],
)
def test_shape(query, kind):
    assert shape(query) == kind


def test_bands_meet_at_their_edges():
    assert [length(["x"] * count) for count in (0, 1, 2, 3, 4)] == [
        "1 morpheme or none",
        "1 morpheme or none",
        "2 or 3",
        "2 or 3",
        "4 or more",
    ]


def test_a_query_without_terms_overlaps_nothing():
    assert overlap([], [["셀"]]) == "none"
