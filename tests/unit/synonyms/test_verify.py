import math

import pytest

from kosparse.config import VerifySynonymsConfig
from kosparse.errors import ConfigError, InputError, ServiceError
from kosparse.records import Completion, SynonymCandidate
from kosparse.synonyms.combiner import Calibration
from kosparse.synonyms.questions import ask_pairs, preferred, said_yes
from kosparse.synonyms.relations import relation_of
from kosparse.synonyms.verify import verify_synonyms_with_llm
from tests.fakes.chat import FakeChatModel
from tests.unit.synonyms.conftest import WordEmbedder, judge, labels


def candidate(ko, en, source="aligned", **features):
    return SynonymCandidate(ko=ko, en=en, source=source, features=features)


CELL, ROW = candidate("셀", "cell"), candidate("셀", "row")


def test_answers_decide_where_features_cannot(labelled, knowing):
    (cell, row), report = verify_synonyms_with_llm([CELL, ROW], knowing, labelled=labelled)

    assert cell.p > 0.8 > 0.3 > row.p
    assert cell.asked_llm and row.asked_llm
    assert cell.log_odds == {"ko": 2.944, "en": 2.944, "ko_choice": 0.0, "en_choice": 0.0}  # ln(.95 / .05)
    assert cell.provenance.model == "fake-model"
    assert report["combiner"] == "features+llm"
    assert report["asked_labelled"] == 32
    assert report["with_llm"]["auroc"] > report["same_pairs_without_llm"]["auroc"]
    assert report["with_llm"]["precision"] == pytest.approx(0.9, abs=0.1)


def test_each_pair_is_asked_once_in_each_language_with_one_token(labelled, knowing):
    verify_synonyms_with_llm([CELL], knowing, labelled=labelled, config=VerifySynonymsConfig(relations="form"))

    asked = [r for r in knowing.requests if "<<<셀>>>" in r.messages[-1]["content"]]
    assert [(r.max_tokens, r.top_logprobs, r.temperature) for r in asked] == [(12, 1, 0.0), (1, 20, 0.0), (1, 20, 0.0)]


def test_a_pair_is_held_against_what_the_model_calls_its_terms(labelled):
    said = {"끓는점": "boiling point", "melting point": "녹는점", "셀": "Cell.", "row": "행"}
    sure = {("끓는점", "boiling point"): 0.9, ("끓는점", "melting point"): 0.8, ("녹는점", "melting point"): 0.9}
    model = judge(lambda ko, en: sure.get((ko, en), 0.5), said)

    near, same, half = ask_pairs(
        model, [candidate("끓는점", "melting point"), CELL, candidate("셀", "row")], what="pairs", budget_seconds=60
    )

    assert near["ko_choice"] == near["en_choice"] == pytest.approx(math.log(0.8 / 0.9))
    assert preferred(near) == pytest.approx(2 * math.log(0.8 / 0.9))
    assert said_yes(near) == pytest.approx(2 * math.log(4))
    assert same["ko_choice"] == same["en_choice"] == 0.0, "it calls it the same, or nothing"
    assert half["ko_choice"] == pytest.approx(0.0) and half["en_choice"] == pytest.approx(0.0)
    offered = [r.messages[-1]["content"] for r in model.requests if "\nA: " in r.messages[-1]["content"]]
    assert len(offered) == 2 * 4 and sum("A: 끓는점\nB: 녹는점" in text for text in offered) == 1


def test_rivals_decide_where_the_model_says_yes_to_both(labelled):
    terms = {pair.ko: f"right{i}" for i, pair in enumerate(labelled) if not pair.label}
    random = {(pair.ko, pair.en) for pair in labelled if pair.kind == "random"}
    model = judge(lambda ko, en: 0.2 if (ko, en) in random else 0.9 if en.startswith("right") else 0.6, terms)
    true, sibling = labelled[0].candidate, next(pair for pair in labelled if pair.kind == "sibling").candidate

    config = VerifySynonymsConfig(strategy="high")
    (first, second), report = verify_synonyms_with_llm([true, sibling], model, labelled=labelled, config=config)

    assert said_yes(first.log_odds) == said_yes(second.log_odds)
    assert first.p > 0.7 and second.p < 0.5
    assert report["coefficients"]["with_llm"]["choice"] > 1


def test_a_model_that_takes_neither_says_nothing_by_it():
    def answer(request):
        text = request.messages[-1]["content"]
        if "\nA: " in text:
            return Completion(text="C", first_token_logprobs={"C": -0.1})
        if "<<<cell>>>" in text and "<<<셀>>>" in text:
            return labels(0.9, "ko" if "같은 뜻입니까" in text else "en")
        return "other"

    (odds,) = ask_pairs(FakeChatModel(answer), [CELL], what="pairs", budget_seconds=60)
    assert preferred(odds) == 0.0 < said_yes(odds)


def test_pairs_whose_own_terms_did_not_come_in_time_are_not_asked_about(knowing):
    assert ask_pairs(knowing, [CELL], what="pairs", budget_seconds=0.0) == [None]
    assert knowing.requests == []


def test_low_asks_nobody(labelled, knowing):
    verdicts, report = verify_synonyms_with_llm(
        [CELL], knowing, config=VerifySynonymsConfig(strategy="low"), labelled=labelled
    )

    assert knowing.requests == []
    assert not verdicts[0].asked_llm
    assert (report["combiner"], report["asked"], report["model"]) == ("features", 0, "")


def test_balanced_asks_about_the_most_doubtful_and_high_about_all(labelled, knowing):
    candidates = [candidate(f"말{chr(0xAC00 + i)}", "word") for i in range(9)]
    for strategy, expected in (("balanced", 4), ("high", 9)):
        config = VerifySynonymsConfig(strategy=strategy, max_candidates=4)
        _, report = verify_synonyms_with_llm(candidates, knowing, config=config, labelled=labelled)
        assert report["asked"] == expected


def fitted(labelled, model):
    return Calibration.model_validate(verify_synonyms_with_llm([CELL], model, labelled=labelled)[1]["fitted"])


def test_a_calibration_gives_the_same_verdicts_and_asks_controls_alone(labelled, knowing):
    first, _ = verify_synonyms_with_llm([CELL, ROW], knowing, labelled=labelled)
    calibration = fitted(labelled, knowing)
    knowing.requests.clear()

    again, report = verify_synonyms_with_llm([CELL, ROW], knowing, labelled=labelled, calibration=calibration)

    assert [verdict.p for verdict in again] == pytest.approx([verdict.p for verdict in first])
    assert sum(request.top_logprobs == 20 for request in knowing.requests) == 2 * 24 + 2 * 16 + (2 + 2) * 2
    assert report["with_llm"] == calibration.quality["with_llm"]


def test_a_calibration_of_another_model_is_refused(labelled, knowing):
    calibration = fitted(labelled, knowing)
    knowing.model = "another"

    with pytest.raises(ConfigError, match="fitted for 'fake-model', in use 'another'"):
        verify_synonyms_with_llm([CELL], knowing, labelled=labelled, calibration=calibration)


def test_a_model_that_says_yes_to_everything_is_noticed_where_nothing_is_fitted(labelled, knowing):
    calibration = fitted(labelled, knowing)

    with pytest.raises(ServiceError, match="says yes to 100%"):
        verify_synonyms_with_llm([CELL], judge(lambda ko, en: 0.9), labelled=labelled, calibration=calibration)


def test_balanced_audits_a_twentieth_of_what_it_is_sure_of(labelled, knowing):
    known = [(pair.ko, pair.en) for pair in labelled if pair.label]
    candidates = [candidate(f"말{chr(0xAC00 + i)}", f"word{i}") for i in range(40)]
    embedder = WordEmbedder([*known, *((c.ko, c.en) for c in candidates)])

    _, report = verify_synonyms_with_llm(candidates, knowing, embedder=embedder, labelled=labelled)

    assert report["asked"] == report["audit"]["asked"] == 2.0  # of 40, all sure
    assert report["audit"]["agreed"] == 0.0  # the model has not heard of these words


def test_what_a_curator_calls_wrong_or_one_way_is_so(labelled):
    wrong = candidate("셀", "cell", source="curated", wrong=1.0)
    one_way = candidate("막대 차트", "chart", source="curated", one_way=1.0)

    verdicts, _ = verify_synonyms_with_llm([wrong, one_way], None, labelled=labelled)

    assert [(verdict.relation, verdict.p) for verdict in verdicts] == [("wrong", 0.0), ("hypernym", 1.0)]


def test_curated_pairs_are_trusted_and_not_asked_about(labelled, knowing):
    curated = candidate("셀", "unheard", source="curated")

    (verdict,), _ = verify_synonyms_with_llm([curated], knowing, labelled=labelled)

    assert (verdict.p, verdict.asked_llm) == (1.0, False)


def test_a_model_that_says_yes_to_everything_stops_the_step(labelled):
    with pytest.raises(ServiceError, match="says yes to 100%"):
        verify_synonyms_with_llm([CELL], judge(lambda ko, en: 0.9), labelled=labelled)


def test_a_model_without_token_probabilities_stops_the_step(labelled):
    with pytest.raises(ServiceError, match="without token probabilities"):
        verify_synonyms_with_llm([CELL], FakeChatModel(lambda request: "예"), labelled=labelled)


def test_a_spent_budget_falls_back_to_the_features_and_says_so(labelled, knowing):
    config = VerifySynonymsConfig(budget_seconds=1e-9)

    verdicts, report = verify_synonyms_with_llm([CELL], knowing, config=config, labelled=labelled)

    assert report["combiner"] == "features"
    assert "budget" in report["note"]
    assert not verdicts[0].asked_llm


def test_answers_with_neither_label_count_as_not_asked(labelled):
    model = FakeChatModel(lambda request: Completion(text="?", first_token_logprobs={"글쎄": -0.1}))

    verdicts, report = verify_synonyms_with_llm([CELL], model, labelled=labelled)

    assert report["asked_labelled"] == 0
    assert not verdicts[0].asked_llm


def test_no_candidates_are_no_error(labelled, knowing):
    verdicts, report = verify_synonyms_with_llm([], knowing, labelled=labelled)

    assert verdicts == []
    assert report["candidates"] == 0


def test_embeddings_count_when_they_tell_true_from_false(labelled):
    embedder = WordEmbedder([(pair.ko, pair.en) for pair in labelled if pair.label] + [("셀", "cell")])

    (cell, row), report = verify_synonyms_with_llm([CELL, ROW], None, embedder=embedder, labelled=labelled)

    assert cell.p > 0.9 > 0.1 > row.p
    assert report["without_llm"]["auroc"] == 1.0


def test_too_few_labels_are_refused(labelled):
    with pytest.raises(InputError, match="cannot calibrate"):
        verify_synonyms_with_llm([CELL], None, labelled=labelled[:15])


def test_the_same_run_twice_gives_the_same_verdicts(labelled, knowing):
    first, _ = verify_synonyms_with_llm([CELL, ROW], knowing, labelled=labelled)

    assert verify_synonyms_with_llm([CELL, ROW], knowing, labelled=labelled)[0] == first


def test_relations_by_form():
    assert relation_of(candidate("매크로", "macro")) == "transliteration"
    assert relation_of(candidate("관계형 데이터베이스 관리 시스템", "DBMS")) == "abbreviation"
    assert relation_of(candidate("글꼴", "font")) == "equivalent"
