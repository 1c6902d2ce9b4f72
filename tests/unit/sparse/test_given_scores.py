"""Scores of a further teacher, from a file: brought to [0, 1], mixed in, and what is wrong with them told."""

import gzip
import json

import numpy as np
import pytest

from kosparse import korean
from kosparse.corpus.locations import Location
from kosparse.errors import InputError
from kosparse.records import Passage
from kosparse.sparse.given_scores import read_given_scores

PASSAGES = [
    Passage(id="calc#0", document_id="calc", position=0, text="스프레드시트를 인쇄합니다."),
    Passage(id="calc#1", document_id="calc", position=1, text="셀 보호를 켭니다."),
    Passage(id="draw#0", document_id="draw", position=0, text="선을 그립니다."),
    Passage(id="math#0", document_id="math", position=0, text="수식을 씁니다."),
]
QUERIES = ["셀 보호", "선"]


@pytest.fixture
def read(tmp_path):
    """Read scores; a row is ``(query, id, score)``, an id with ``#`` that of a passage."""

    def call(*rows, weight=0.5, queries=QUERIES):
        path = tmp_path / "scores.jsonl"
        path.write_text("".join(map(_line, rows)), encoding="utf-8")
        return read_given_scores(Location(path, "s3://bucket/scores.jsonl"), queries, PASSAGES, weight)

    return call


def _line(row):
    if isinstance(row, str):
        return row + "\n"
    query, name, score = row
    key = "passage_id" if "#" in name else "document_id"
    return json.dumps({"query": query, key: name, "score": score}, ensure_ascii=False) + "\n"


def _mixed(given, ensemble):
    scores = np.array(ensemble, dtype=np.float32)
    given.mix(scores, 0)
    return [[round(float(value), 4) for value in row] for row in scores]


ENSEMBLE = [[0.2, 0.6, 0.4, 0.0], [0.1, 0.1, 0.9, 0.3]]


def test_scores_are_brought_to_0_and_1_per_query_and_mixed_by_the_weight(read):
    # 7, 3 and 5 become 1, 0 and .5; the fourth passage and the second query were not scored.
    given = read(("셀 보호", "calc#1", 7.0), ("셀 보호", "calc#0", 3.0), ("셀 보호", "draw#0", 5.0), weight=0.25)
    first = [0.75 * 0.2, 0.75 * 0.6 + 0.25, 0.75 * 0.4 + 0.25 * 0.5, 0.0]
    assert _mixed(given, ENSEMBLE) == [pytest.approx(first, abs=1e-4), pytest.approx(ENSEMBLE[1])]


def test_a_weight_of_1_takes_the_place_of_the_ensemble_and_0_leaves_it(read):
    rows = ("셀 보호", "calc#1", -9.0), ("셀 보호", "math#0", 4.0)
    assert _mixed(read(*rows, weight=1.0), ENSEMBLE)[0] == pytest.approx([0.2, 0.0, 0.4, 1.0])
    assert _mixed(read(*rows, weight=0.0), ENSEMBLE)[0] == pytest.approx(ENSEMBLE[0])


def test_the_score_of_a_document_is_that_of_the_passage_the_ensemble_ranks_first(read):
    given = read(("셀 보호", "calc", 2.0), ("셀 보호", "draw", 0.0))
    assert _mixed(given, ENSEMBLE)[0] == pytest.approx([0.2, 0.8, 0.2, 0.0])


def test_a_passages_own_score_counts_more_than_its_documents(read):
    given = read(("셀 보호", "calc#1", 0.0), ("셀 보호", "calc", 2.0))
    assert _mixed(given, ENSEMBLE)[0] == pytest.approx([0.2, 0.3, 0.4, 0.0])


def test_the_rows_of_a_later_batch_are_found(read):
    given = read(("선", "draw#0", 1.0), ("선", "math#0", 0.0))
    batch = np.array(ENSEMBLE[1:], dtype=np.float32)
    given.mix(batch, 1)
    assert batch[0].tolist() == pytest.approx([0.1, 0.1, 0.95, 0.15])


def test_equal_queries_share_their_scores_and_blanks_make_no_difference(read):
    given = read((" 셀  보호", "calc#1", 1.0), ("셀 보호", "math#0", 0.0), queries=["셀 보호", "선", "셀 보호"])
    assert given.rows[0] == given.rows[2] == {(1,): 1.0, (3,): 0.0} and not given.rows[1]


def test_what_cannot_be_used_is_counted(read):
    given = read(
        *(("셀 보호", "calc#1", 1.0), ("셀 보호", "draw", 0.0)),
        *(("셀 보호", "calc#1", 0.3), ("셀 보호", "draw#0", 0.3)),  # draw has one passage
        *(("셀 보호", "calc#9", 0.3), ("셀 보호", "impress", 0.3)),
        ("표 삽입", "calc#1", 0.3),
        *(("선", "draw#0", 0.5), ("선", "math#0", 0.5)),
    )
    assert given.counts == {
        "given_scores": 4,
        "given_unknown_query": 1,
        "given_unknown_passage": 2,
        "given_twice": 2,
        "given_queries": 1,
        "given_queries_without_order": 1,
    }
    assert not given.rows[1]  # all the same: no order


def test_a_packed_file_in_a_korean_encoding_is_read(tmp_path):
    path = tmp_path / "scores.jsonl.gz"
    lines = _line(("셀 보호", "calc#1", 1.0)) + _line(("셀 보호", "math#0", 0.0))
    path.write_bytes(gzip.compress(lines.encode("cp949")))
    assert read_given_scores(Location(path, str(path)), QUERIES, PASSAGES, 0.5).counts["given_scores"] == 2


GOOD = ("셀 보호", "calc#1", 1.0)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("no JSON", "line: Invalid JSON"),
        ('{"query": "셀 보호", "passage": "calc#1", "score": 1}', "passage: Extra inputs are not permitted"),
        ('{"query": "셀 보호", "passage_id": "calc#1"}', "score: Field required"),
        ('{"query": "셀 보호", "score": 1}', "passage_id and document_id are both missing"),
        ('{"query": "", "passage_id": "calc#1", "score": 1}', "query: String should have at least 1 character"),
        ('{"query": "셀 보호", "passage_id": "calc#1", "score": NaN}', "score: Input should be a finite number"),
        ('{"query": "셀 보호", "passage_id": "calc#1", "score": Infinity}', "score: Input should be a finite number"),
        ('{"query": "셀 보호", "passage_id": "calc#1", "score": "high"}', "score: Input should be a valid number"),
        ('{"query": "셀 보호", "passage_id": "calc#1", "score": null}', "score: Input should be a valid number"),
        ('{"query": "셀 보호", "passage_id": 3, "score": 1}', "passage_id: Input should be a valid string"),
    ],
)
def test_a_line_that_is_no_score_stops_and_is_named(read, line, what):
    with pytest.raises(InputError) as caught:
        read(GOOD, line)
    assert caught.value.what.startswith("not a score: ") and what in caught.value.what
    assert caught.value.where == "s3://bucket/scores.jsonl:2" and "score in every line" in caught.value.fix


def test_a_file_of_which_nothing_can_be_used_stops(read):
    with pytest.raises(
        InputError, match="none of the scores can be used: unknown_query 1, unknown_passage 1"
    ) as caught:
        read(("표 삽입", "calc#1", 1.0), ("선", "calc#9", 1.0))
    assert "queries.jsonl" in caught.value.fix
    with pytest.raises(InputError, match="can be used: queries_without_order 1"):
        read(GOOD)  # one score tells no order
    with pytest.raises(InputError, match="can be used: the file is empty"):
        read()


def test_bytes_that_are_no_text_stop(tmp_path):
    path = tmp_path / "scores.jsonl"
    path.write_bytes(b'{"query": "\x80\x81\xff"}\n')
    with pytest.raises(InputError, match="not a score: neither UTF-8 nor CP949"):
        read_given_scores(Location(path, str(path)), QUERIES, PASSAGES, 0.5)


def test_a_missing_file_and_a_bad_line_are_told_in_korean(tmp_path, read, monkeypatch):
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    with pytest.raises(InputError) as caught:
        read_given_scores(Location(tmp_path / "none", "none"), QUERIES, PASSAGES, 0.5)
    assert korean.message(caught.value).splitlines() == [
        "그런 점수 파일이 없습니다",
        "  어디: none",
        "  할 일: build_training_set.teacher_scores를 확인하십시오.",
    ]
    with pytest.raises(InputError) as caught:
        read('{"query": "셀 보호", "passage_id": "calc#1", "score": NaN}')
    assert korean.message(caught.value).startswith("점수가 아닙니다: score: 유한한 수여야 합니다 (받은 줄 ")
