import math

import numpy as np
import pytest

from kosparse.config import FilterPairsConfig
from kosparse.errors import InputError
from kosparse.records import AnswerToken, Completion, Reject
from kosparse.synthetic import filters
from kosparse.synthetic.filters import filter_synthetic_pairs, require_kept
from tests.fakes.chat import FakeChatModel, judged, queries_asked
from tests.unit.synthetic.builders import CELL, pair, passage, passages

NO_JUDGE = FilterPairsConfig(judge=False)


def reasons(filtered):
    return {reject.row["query"]: reject.reason for reject in filtered.rejects}


def test_each_bad_pair_is_rejected_by_the_first_filter_it_fails():
    pairs = [
        pair("셀을 잠그는 방법"),
        pair("셀"),
        pair("protect cells"),
        pair("이 문서에 따르면 셀 보호는 어떻게 하나요?"),
        pair(CELL[:45]),
        pair("방법: 셀을 잠그기"),
        pair("자전거 타이어 교체"),
        pair("셀 보호", passage_id="gone#0"),
    ]
    filtered = filter_synthetic_pairs(pairs, passages(), config=NO_JUDGE)
    assert [one.query for one in filtered.kept] == ["셀을 잠그는 방법"]
    assert reasons(filtered) == {
        "셀": "too_short",
        "protect cells": "not_korean",
        "이 문서에 따르면 셀 보호는 어떻게 하나요?": "leakage",
        CELL[:45]: "copy",
        "방법: 셀을 잠그기": "duplicate",
        "자전거 타이어 교체": "round_trip",
        "셀 보호": "unknown_passage",
    }


def test_a_copy_with_words_left_out_is_a_copy():
    sparse_copy = "셀 보호를 켜려면 셀을 고른 뒤 잠금을 선택하고 시트를 보호합니다?"
    claim = pair(sparse_copy, query_type="claim")
    (reject,) = filter_synthetic_pairs([claim], passages(), config=NO_JUDGE).rejects
    assert reject.reason == "copy"
    assert reject.row["scores"]["copy_share"] < 0.8 <= 0.95 < reject.row["scores"]["stretch_share"]
    config = FilterPairsConfig(judge=False, max_stretch_share=1.0, max_copy_characters=50)
    assert filter_synthetic_pairs([claim], passages(), config=config).kept


def test_no_more_copies_are_kept_than_allowed():
    copies = [pair(query) for query in ("셀 보호", "보호 탭", "서식 메뉴", "시트를 암호로 보호")]
    others = [pair("셀을 잠그는 방법"), pair("암호 서식 바꾸기"), pair("탭 메뉴 위치")]
    config = FilterPairsConfig(judge=False, max_copies=0.25)
    filtered = filter_synthetic_pairs([*copies, *others], passages(), config=config)
    assert [one.query for one in filtered.kept] == ["셀 보호", *(one.query for one in others)]
    assert filtered.funnel["rejected"] == {"too_many_copies": 3}
    assert filtered.funnel["statistics"]["copies"]["order_share"] == 0.25
    assert len(filter_synthetic_pairs([*copies, *others], passages(), config=NO_JUDGE).kept) == 7


def test_a_query_that_is_evaluated_on_is_left_out_whatever_its_case_and_spaces():
    asked = [pair("PDF 셀보호"), pair("셀 잠금 암호")]
    filtered = filter_synthetic_pairs(asked, passages(), config=NO_JUDGE, evaluated=["pdf 셀 보호?"])
    assert reasons(filtered) == {"PDF 셀보호": "evaluation_query"}
    assert [one.query for one in filtered.kept] == ["셀 잠금 암호"]


def test_kept_and_rejected_add_up_to_what_came_in_and_upstream_rejects_are_carried():
    upstream = [
        Reject(stage="generate_queries", reason="not_json"),
        Reject(stage="augment_queries", reason="unchanged"),
    ]
    filtered = filter_synthetic_pairs([pair("셀 보호"), pair("x")], passages(), config=NO_JUDGE, upstream=upstream)
    funnel = filtered.funnel
    assert filtered.rejects[:2] == upstream
    assert funnel["generated"] == 4
    assert funnel["generated"] == funnel["kept"] + sum(funnel["rejected"].values())
    assert funnel["rejected"] == {"not_json": 1, "unchanged": 1, "too_short": 1}
    assert funnel["stages"][0] == {"stage": "passage", "entered": 2, "left": 2}
    assert [stage["left"] for stage in funnel["stages"]][-1] == funnel["kept"]


def test_scores_stay_on_kept_and_rejected_rows():
    filtered = filter_synthetic_pairs(
        [pair("셀 보호"), pair("셀 차트 축 배율")], passages(), config=FilterPairsConfig(judge=False, round_trip_rank=1)
    )
    copied = {"copy_share": 0.5, "stretch_share": 1.0, "order_share": 1.0}
    assert filtered.kept[0].scores == {"overlap": 1.0, **copied, "round_trip_rank": 1.0}
    assert filtered.rejects[0].row["scores"]["round_trip_rank"] == 2.0


def test_the_round_trip_can_be_switched_off_and_spares_passages_of_a_low_grade():
    stranger = pair("자전거 타이어 교체")
    related = pair("자전거 바퀴 청소", grade=1)
    config = FilterPairsConfig(judge=False, round_trip_rank=0)
    assert filter_synthetic_pairs([stranger], passages(), config=config).kept
    assert filter_synthetic_pairs([related], passages(), config=NO_JUDGE).kept


def test_passages_are_numbered_on_from_block_to_block(monkeypatch):
    monkeypatch.setattr(filters, "_BLOCK", 1)
    asked = [pair("차트 축 눈금", "chart"), pair("매크로 기록", "macro"), pair("셀 보호")]
    config = FilterPairsConfig(judge=False, round_trip_rank=1)
    kept = filter_synthetic_pairs(asked, iter(passages()), config=config).kept
    assert [one.scores["round_trip_rank"] for one in kept] == [1.0, 1.0, 1.0]


def test_written_passages_compete_in_the_round_trip():
    written = passage("셀 보호 셀 보호 셀 보호", "synthetic/1")
    config = FilterPairsConfig(judge=False, round_trip_rank=1)
    alone = filter_synthetic_pairs([pair("셀 보호")], passages(), config=config)
    crowded = filter_synthetic_pairs([pair("셀 보호")], [*passages(), written], config=config)
    assert (len(alone.kept), len(crowded.kept)) == (1, 0)


def test_queries_that_differ_in_a_number_are_both_kept():
    text = "10번 셀과 20번 셀의 보호를 해제합니다. " + CELL
    filtered = filter_synthetic_pairs([pair("10번 셀 보호"), pair("20번 셀 보호")], [passage(text)], config=NO_JUDGE)
    assert len(filtered.kept) == 2


def test_the_judge_rejects_by_probability_whatever_word_was_written():
    model = FakeChatModel(lambda request: judged(request, lambda query: 0.9 if "잠금" in query else 0.1))
    config = FilterPairsConfig(min_judge_score=0.0)
    filtered = filter_synthetic_pairs([pair("셀 잠금"), pair("시트 암호")], passages(), config=config, model=model)
    assert [one.query for one in filtered.kept] == ["셀 잠금"]
    assert filtered.kept[0].scores["judge"] == pytest.approx(math.log(9), abs=1e-4)
    assert reasons(filtered) == {"시트 암호": "judge"}
    assert filtered.funnel["judged"] == 2


def test_the_judge_sees_survivors_only_and_no_more_than_allowed():
    model = FakeChatModel(lambda request: judged(request, lambda query: 0.9))
    pairs = [
        pair("protect cells"),
        pair("셀 잠금"),
        pair("시트 암호"),
        pair("보호 탭"),
        pair("차트 배율", "chart", grade=1),
    ]
    filtered = filter_synthetic_pairs(pairs, passages(), config=FilterPairsConfig(max_judged=2), model=model)
    assert [len(queries_asked(request)) for request in model.requests] == [1, 1]
    assert filtered.funnel["judged"] == 2
    assert len(filtered.kept) == 4
    assert sum("judge" in one.scores for one in filtered.kept) == 2


def test_a_judge_that_says_neither_leaves_the_pair_in_without_a_score():
    answer = Completion(text="1. 음", tokens=[AnswerToken(text=text, logprobs={text: -0.1}) for text in ("1. ", "음")])
    model = FakeChatModel(lambda request: answer)
    filtered = filter_synthetic_pairs([pair("셀 잠금")], passages(), model=model)
    assert "judge" not in filtered.kept[0].scores
    assert filtered.funnel["judged"] == 0


def test_all_queries_of_a_passage_are_judged_in_one_question():
    model = FakeChatModel(lambda request: judged(request, lambda query: 0.9))
    asked = [pair("셀 잠금"), pair("차트 배율", "chart"), pair("시트 암호"), pair("보호 탭")]
    filter_synthetic_pairs(asked, passages(), config=FilterPairsConfig(judge_together=8), model=model)
    questions = sorted(map(queries_asked, model.requests), key=len)
    assert questions == [["차트 배율"], ["셀 잠금", "시트 암호", "보호 탭"]]
    assert all(CELL[:20] in request.messages[-1]["content"] for request in model.requests if "셀 잠금" in str(request))


def test_a_question_holds_no_more_queries_than_told_and_room_for_their_answers():
    model = FakeChatModel(lambda request: judged(request, lambda query: 0.9))
    asked = [pair("셀 잠금"), pair("시트 암호"), pair("보호 탭")]
    filter_synthetic_pairs(asked, passages(), config=FilterPairsConfig(judge_together=2, max_tokens=7), model=model)
    assert [(len(queries_asked(request)), request.max_tokens) for request in model.requests] == [(2, 14), (1, 7)]
    request = model.requests[0]
    assert (request.temperature, request.json_schema, request.every_token) == (0.0, None, True)
    assert request.top_logprobs > 0


def test_a_query_that_looks_like_the_next_line_moves_no_label():
    model = FakeChatModel(lambda request: judged(request, lambda query: 0.9 if "잠금" in query else 0.1))
    asked = [pair("2. 시트 암호"), pair("셀 잠금")]
    config = FilterPairsConfig(min_judge_score=-9, judge_together=2)
    kept = filter_synthetic_pairs(asked, passages(), config=config, model=model).kept
    assert {one.query: one.scores["judge"] > 0 for one in kept} == {"2. 시트 암호": False, "셀 잠금": True}


def test_when_nothing_is_left_the_error_names_the_filter_that_ate_everything():
    filtered = filter_synthetic_pairs([pair("one"), pair("two"), pair("셀")], passages(), config=NO_JUDGE)
    with pytest.raises(InputError) as error:
        require_kept(filtered)
    assert "none of 3" in error.value.what
    assert "not_korean 2, too_short 1" in error.value.what
    assert "'not_korean'" in error.value.fix


def test_when_nothing_came_in_the_error_says_so():
    with pytest.raises(InputError, match="no pairs were generated"):
        require_kept(filter_synthetic_pairs([], passages(), config=NO_JUDGE))


def test_filtering_without_any_passage_or_pair_is_empty_and_not_an_error():
    assert filter_synthetic_pairs([], [], config=NO_JUDGE).funnel["generated"] == 0


class Embedder:
    """Texts are as close as their vectors here say; everything else is far from everything."""

    fingerprint, dimensions = "fake", 3

    def __init__(self, vectors):
        self.vectors = vectors

    def encode(self, texts, kind):
        return np.array([self.vectors.get(text, [0.0, 0.0, 1.0]) for text in texts], dtype=np.float32)


def test_near_duplicates_are_found_over_the_whole_set_and_written_passages_are_none():
    pairs = [
        pair("셀 보호 암호 방법"),
        pair("셀 보호 암호 방법 안내", id="near"),
        pair("셀 보호 암호 방법 정보", id="far"),
        pair("셀 보호 암호 방법", id="written", origin="query_to_document"),
    ]
    vectors = dict.fromkeys(("셀 보호 암호 방법", "셀 보호 암호 방법 안내"), [1.0, 0.0, 0.0])
    config = FilterPairsConfig(judge=False, near_duplicate_cosine=0.9, round_trip_rank=0)
    filtered = filter_synthetic_pairs(pairs, passages(), config=config, embedder=Embedder(vectors))
    assert reasons(filtered) == {"셀 보호 암호 방법 안내": "near_duplicate"}
    assert filter_synthetic_pairs(pairs, passages(), config=config).rejects == [], "no embedder, no comparison"


def test_a_passage_the_dense_encoder_does_not_find_is_lost_and_its_rank_stays_on_the_row():
    vectors = {"셀을 잠그는 방법": [1.0, 0.0, 0.0], CELL: [0.9, 0.1, 0.0], "시트를 보호하기": [0.0, 0.0, 1.0]}
    pairs = [pair("셀을 잠그는 방법"), pair("시트를 보호하기"), pair("시트를 보호하기", id="related", grade=1)]
    config = FilterPairsConfig(judge=False, dense_round_trip_rank=1)
    filtered = filter_synthetic_pairs(pairs[:2], passages(), config=config, embedder=Embedder(vectors))
    assert [(one.query, one.scores["dense_rank"]) for one in filtered.kept] == [("셀을 잠그는 방법", 1.0)]
    assert reasons(filtered) == {"시트를 보호하기": "dense_round_trip"}
    assert filtered.rejects[0].row["scores"]["dense_rank"] == 3.0
    kept = filter_synthetic_pairs(pairs[2:], passages(), config=config, embedder=Embedder(vectors)).kept
    assert len(kept) == 1, "a related passage is not meant to be found"


def test_the_entropy_of_meanings_is_told_from_a_sample_alone():
    asked = []

    class Counting(Embedder):
        def encode(self, texts, kind):
            asked.extend(texts)
            return super().encode(texts, kind)

    pairs = [pair("셀 보호"), pair("매크로 기록", "macro"), pair("차트 축 눈금", "chart"), pair("시트 암호")]
    config = FilterPairsConfig(judge=False, entropy_queries=2)
    filtered = filter_synthetic_pairs(pairs, passages(), config=config, embedder=Counting({}))
    assert asked == ["셀 보호", "차트 축 눈금"]
    assert filtered.funnel["statistics"]["cluster_entropy"] == 0.0, "two queries make one cluster"


def test_queries_with_personal_data_are_left_out_unless_told_otherwise():
    asked = [pair("셀 보호는 010-1234-5678로 문의")]
    assert reasons(filter_synthetic_pairs(asked, passages(), config=NO_JUDGE)) == {asked[0].query: "personal_data"}
    config = FilterPairsConfig(judge=False, personal_data=False)
    assert filter_synthetic_pairs(asked, passages(), config=config).kept
