import json

import pytest

import kosparse
from kosparse.config import FilterPairsConfig, GenerateDocumentsConfig, GenerateHardNegativesConfig
from kosparse.errors import ConfigError, InputError
from kosparse.records import Document, SynonymEntry
from tests.fakes.chat import FakeChatModel, judged
from tests.unit.evaluation.world import FakeEmbedder
from tests.unit.synthetic.builders import CELL, CHART, MACRO

QUERIES = {
    CELL: {"keyword": "시트 암호 잠금", "question": "셀은 어떻게 잠그나요?", "colloquial": "셀 못 고치게 보호하려면?"},
    MACRO: {"keyword": "매크로 실행", "question": "매크로는 어떻게 기록하나요?", "colloquial": "매크로 다시 돌리려면?"},
    CHART: {"keyword": "축 배율", "question": "차트 눈금은 어디에서 바꾸나요?", "colloquial": "차트 축 값 바꿔 줘"},
}


def answer(request):
    question = request.messages[-1]["content"]
    if request.top_logprobs:
        return judged(request, lambda query: 0.9)
    if "passage" in request.json_schema["required"]:
        return json.dumps({"passage": f"{question[-40:]} 알맞게 고르고 저장하면 다음에 열 때에도 그대로 남습니다."})
    for text, queries in QUERIES.items():
        if text in question:
            return json.dumps(queries, ensure_ascii=False)
    return json.dumps({"query": question.removeprefix("검색어: ") + " 알려 줘"}, ensure_ascii=False)


def test_texts_in_filtered_pairs_out():
    made = kosparse.generate_synthetic_qd_pairs(
        documents=[CELL, Document(id="m", text=MACRO), CHART], model=FakeChatModel(answer), num_queries_per_doc=3
    )
    assert len(made) == len(made.pairs) >= 9
    assert ("매크로 실행", MACRO) in list(made)
    assert made.funnel["statistics"]["by_origin"]["document_to_query"] == 9
    assert made.funnel["kept"] == len(made)


def test_the_dictionary_adds_queries_in_the_other_language():
    made = kosparse.generate_synthetic_qd_pairs(
        [MACRO], model=FakeChatModel(answer), dictionary=[SynonymEntry(ko="매크로", en="macro", p=0.9)]
    )
    assert "macro 실행" in [query for query, _ in made]


def test_two_runs_give_the_same_pairs():
    first, second = (
        kosparse.generate_synthetic_qd_pairs([CELL, MACRO], model=FakeChatModel(answer, out_of_order=order))
        for order in (False, True)
    )
    assert first.pairs == second.pairs


def test_the_number_of_queries_per_document_is_kept():
    made = kosparse.generate_synthetic_qd_pairs([CELL, MACRO], model=FakeChatModel(answer), num_queries_per_doc=1)
    assert made.funnel["statistics"]["by_type"] == {"keyword": 1, "question": 1, "paraphrase": 2}


@pytest.mark.parametrize("documents", [[], ["", "가", "1234 5678", "<div><p></p></div>", "only English here"]])
def test_documents_without_anything_to_ask_about_end_in_a_clear_error(documents):
    with pytest.raises(InputError, match="no pairs were generated"):
        kosparse.generate_synthetic_qd_pairs(documents, model=FakeChatModel(answer))


def test_a_model_that_answers_nothing_useful_ends_in_an_error_that_counts_it():
    with pytest.raises(InputError, match="none of 2 .*not_json 2"):
        kosparse.generate_synthetic_qd_pairs([CELL, MACRO], model=FakeChatModel(lambda request: "음..."))


def test_without_a_model_nothing_is_tried():
    with pytest.raises(ConfigError, match="no language model"):
        kosparse.generate_synthetic_qd_pairs(documents=[CELL])


def test_passages_are_written_for_what_people_typed_and_then_for_generated_queries():
    made = kosparse.generate_synthetic_qd_pairs(
        [CELL, MACRO],
        model=FakeChatModel(answer),
        written_documents=GenerateDocumentsConfig(max_queries=2, grades=[3]),
        query_log=["행 높이 자동"],
    )
    written = [pair for pair in made.pairs if pair.origin == "query_to_document"]
    assert [pair.query for pair in written][:1] == ["행 높이 자동"] and len(written) == 2
    assert all(made.passages[pair.passage_id].text for pair in written)
    logged = kosparse.generate_synthetic_qd_pairs([CELL], model=FakeChatModel(answer), query_log=["행 높이 자동"])
    assert "행 높이 자동" in [query for query, _ in logged], "a log is enough"


def test_hard_negatives_are_written_for_kept_pairs_when_asked_for():
    config = GenerateHardNegativesConfig(max_pairs=3)
    made = kosparse.generate_synthetic_qd_pairs([CELL, MACRO], model=FakeChatModel(answer), hard_negatives=config)
    assert len(made.negatives) == 3
    assert {negative.pair_id for negative in made.negatives} <= {pair.id for pair in made.pairs}
    assert kosparse.generate_synthetic_qd_pairs([CELL], model=FakeChatModel(answer)).negatives == []


def test_an_embedder_tells_entropy_and_serves_the_dense_filters():
    made = kosparse.generate_synthetic_qd_pairs(
        [CELL, MACRO, CHART],
        model=FakeChatModel(answer),
        embedder=FakeEmbedder(),
        filters=FilterPairsConfig(dense_round_trip_rank=3),
    )
    assert made.funnel["statistics"]["cluster_entropy"] > 0
    assert all("dense_rank" in pair.scores for pair in made.pairs)


def test_a_query_to_be_evaluated_on_is_left_out():
    made = kosparse.generate_synthetic_qd_pairs([MACRO], model=FakeChatModel(answer), evaluated=["매크로  실행?"])
    assert "매크로 실행" not in [query for query, _ in made]
    assert made.funnel["rejected"]["evaluation_query"] == 1


def test_the_judge_can_be_switched_off():
    fake = FakeChatModel(answer)
    kosparse.generate_synthetic_qd_pairs([CELL], model=fake, filters=FilterPairsConfig(judge=False))
    assert not any(request.top_logprobs for request in fake.requests)
