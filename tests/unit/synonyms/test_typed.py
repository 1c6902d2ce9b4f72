import math

import pytest

from kosparse import prompts
from kosparse.config import DiscoverSynonymsConfig, VerifySynonymsConfig
from kosparse.records import Completion, SynonymCandidate, Verdict
from kosparse.synonyms.answers import Said, ask_about, called_equivalent, evidence_names, provenance
from kosparse.synonyms.discover import discover_synonyms_with_llm
from kosparse.synonyms.enhance import enhance_dictionary
from kosparse.synonyms.questions import PROMPTS
from kosparse.synonyms.typed import PROMPT, TYPES, ask_types, likeliest, related_by_types
from kosparse.synonyms.verifier import Verifier
from kosparse.synonyms.verify import verify_synonyms_with_llm
from tests.fakes.chat import FakeChatModel
from tests.unit.synonyms.conftest import relation_asked


def candidate(ko, en, source="aligned", examples=()):
    return SynonymCandidate(ko=ko, en=en, source=source, examples=list(examples))


def typist(kinds, otherwise=lambda request: "", first_letter=0.0):
    """Says of a pair what ``kinds`` says, and likes A better than other letters by ``first_letter``."""

    def answer(request):
        relation = relation_asked(request.messages[-1]["content"])
        if relation is None or relation[0] not in kinds:
            return otherwise(request)
        pair, options = relation
        right = {kinds[pair], "broader" if kinds[pair] in ("hypernym", "hyponym") else ""}
        scores = {
            letter: (-0.1 if name in right else -2.0) + first_letter * (letter == "A")
            for letter, name in options.items()
        }
        return Completion(text=max(scores, key=scores.get), first_token_logprobs=scores)

    return FakeChatModel(answer)


def test_each_pair_is_typed_in_both_languages_with_the_options_turned_round():
    model = typist({("막대 차트", "chart"): "antonym"}, first_letter=1.5)
    (types,) = ask_types(
        model, [candidate("막대 차트", "chart", examples=["가" * 500, "나", "다"])], what="types", budget_seconds=60
    )

    assert likeliest(types) == "antonym"
    first_or_last = {name: 0.75 * (name in ("equivalent", "wrong")) for name in TYPES}
    assert types == {
        name: pytest.approx((-0.1 if name == "antonym" else -2.0) + first_or_last[name], abs=1e-3) for name in TYPES
    }
    asked = [request.messages[-1]["content"] for request in model.requests]
    assert ["A: 뜻이 같다" in text for text in asked] == [True, False]
    assert ["E: they mean the same" in text for text in asked] == [False, True]
    assert all("<<<" + "가" * 160 + ">>>" in text and "<<<나>>>" in text and "다>>>" not in text for text in asked)
    assert {(request.max_tokens, request.top_logprobs) for request in model.requests} == {(1, 20)}


def test_an_answer_without_a_letter_types_nothing():
    model = FakeChatModel(lambda request: Completion(text="글쎄", first_token_logprobs={"글쎄": -0.1}))
    assert ask_types(model, [candidate("셀", "cell")], what="types", budget_seconds=60) == [None]


def test_the_type_comes_before_every_other_question(knowing):
    cell = candidate("셀", "cell", examples=["시트의 셀 | a cell of the sheet"])

    (said,) = ask_about(knowing, [cell], typing=True, what="pairs", budget_seconds=60)

    kinds = [relation_asked(request.messages[-1]["content"]) is not None for request in knowing.requests]
    assert kinds[:2] == [True] * 2 and len(kinds) > 2 and not any(kinds[2:])
    assert likeliest(said.types) == "equivalent"
    assert len(said.evidence()) == len(evidence_names(True)) == 2 + len(TYPES)
    assert said.evidence()[2] == pytest.approx(math.log(0.95), abs=1e-3)


def test_a_pair_that_is_not_typed_is_not_asked_further(knowing):
    silent = typist({}, otherwise=lambda request: Completion(text="글쎄", first_token_logprobs={"글쎄": -0.1}))
    assert ask_about(silent, [candidate("셀", "cell")], typing=True, what="pairs", budget_seconds=60) == [None]
    assert len(silent.requests) == 2

    (said,) = ask_about(knowing, [candidate("셀", "cell")], typing=False, what="pairs", budget_seconds=60)
    assert said.types is None and len(said.evidence()) == len(evidence_names(False)) == 2
    assert called_equivalent([said]) is None


def test_verdicts_name_every_prompt_they_rest_on(knowing):
    typed = [prompts.load(name).fingerprint for name in (PROMPT, *PROMPTS)]
    assert provenance(knowing, True).prompt == " ".join(typed)
    assert provenance(knowing, False).prompt == " ".join(typed[1:])


def test_what_has_passed_relates_as_it_was_typed_and_keeps_its_form_where_it_is_equivalent():
    def said(found):
        return {name: -0.1 if name == found else -3.0 for name in TYPES}

    model = typist({("차트", "bar chart"): "hyponym"})
    verdicts = [
        Verdict(candidate=candidate(ko, en, source), relation=relation, p=p, types=types)
        for ko, en, source, relation, p, types in (
            ("매크로", "macro", "aligned", "transliteration", 0.9, said("equivalent")),
            ("켜기", "off", "aligned", "equivalent", 0.9, said("antonym")),
            ("차트", "bar chart", "aligned", "equivalent", 0.9, said("hypernym")),
            ("셀", "cell", "curated", "equivalent", 1.0, {}),
            ("행", "line", "aligned", "unknown", 0.3, said("wrong")),
        )
    ]

    related = related_by_types(verdicts, model, threshold=0.8, budget_seconds=60)

    assert [each.relation for each in related] == ["transliteration", "antonym", "hyponym", "equivalent", "unknown"]
    assert [each.p for each in related] == [0.9, 0.9, 0.9, 1.0, 0.3]
    assert len(model.requests) == 2
    offered = [set(relation_asked(request.messages[-1]["content"])[1].values()) for request in model.requests]
    assert offered == [{"hypernym", "hyponym"}] * 2
    entries, rejects = enhance_dictionary([each.candidate for each in related], related, [], 0.8)
    assert {(entry.ko, entry.direction, bool(entry.types)) for entry in entries} == {
        ("셀", "both", False),
        ("매크로", "both", True),
        ("차트", "en_to_ko", True),
    }
    assert {(reject.row["ko"], reject.reason) for reject in rejects} == {
        ("켜기", "typed_as_antonym"),
        ("행", "below_threshold"),
    }


def test_without_time_to_ask_which_is_broader_the_form_decides():
    model = typist({("차트", "bar chart"): "hyponym"})
    broader = {name: -0.1 if name == "hypernym" else -3.0 for name in TYPES}
    verdict = Verdict(candidate=candidate("차트", "bar chart"), relation="equivalent", p=0.9, types=broader)
    assert related_by_types([verdict], model, threshold=0.8, budget_seconds=0.0) == [verdict]


@pytest.mark.parametrize(("relations", "relation"), [("form", "transliteration"), ("asked", "related")])
def test_types_decide_where_the_model_knows_synonyms(labelled, knowing, relations, relation):
    cell = candidate("셀", "cell", examples=["시트의 셀 | a cell of the sheet"])
    model = typist({("셀", "cell"): "related"}, otherwise=knowing._answer)

    (verdict,), report = verify_synonyms_with_llm(
        [cell], model, labelled=labelled, config=VerifySynonymsConfig(relations=relations, verification_threshold=0.5)
    )

    assert verdict.relation == relation and bool(verdict.types) == (relations == "asked")
    assert sum("a cell of the sheet" in request.messages[-1]["content"] for request in model.requests) == (
        2 if relations == "asked" else 0
    )
    known = report["controls"]["called_equivalent"]
    assert known is None if relations == "form" else known > 0.75
    columns = ["features", "llm", "choice", *(TYPES if relations == "asked" else ())]
    assert list(report["coefficients"]["with_llm"]) == columns


def test_a_model_that_calls_known_synonyms_something_else_decides_nothing(labelled, knowing, capsys):
    """What it says is evidence all the same."""
    kinds = {(pair.ko, pair.en): "hypernym" if pair.label else "wrong" for pair in labelled}
    model = typist({**kinds, ("셀", "cell"): "hypernym"}, otherwise=knowing._answer)
    config = VerifySynonymsConfig(strategy="high", verification_threshold=0.5)

    verifier = Verifier(model, config, None, labelled, [candidate("셀", "cell")])
    (verdict,) = verifier.judge([candidate("셀", "cell")], budget_seconds=60)

    assert verdict.relation == "transliteration" and likeliest(verdict.types) == "hypernym" and verdict.p > 0.9
    assert verifier.report()["controls"]["called_equivalent"] == 0.0
    assert "calls 0% of 16 known synonyms equivalent" in capsys.readouterr().err


def test_what_is_discovered_is_typed_too(labelled, knowing):
    def answer(request):
        if request.json_schema is not None:
            return '{"korean": [], "english": ["cell"]}'
        return knowing._answer(request)

    model = typist({("셀", "cell"): "hyponym"}, otherwise=answer)
    known = Verdict(candidate=candidate("셀", "box"), p=0.99)

    (verdict,), _ = discover_synonyms_with_llm([known], [], model, config=DiscoverSynonymsConfig(), labelled=labelled)
    assert verdict.types["hypernym"] == pytest.approx(-0.1)


def test_log_probabilities_of_letters_sum_their_spellings():
    model = FakeChatModel(
        lambda request: Completion(text="A", first_token_logprobs={"A": math.log(0.4), " A": math.log(0.2), "가": -9.0})
    )
    (types,) = ask_types(model, [candidate("셀", "cell")], what="types", budget_seconds=60)
    assert types["equivalent"] == types["wrong"] == pytest.approx((math.log(0.6) - 9.0) / 2, abs=1e-3)
    assert types["related"] == pytest.approx(-9.0)


def test_called_equivalent_is_the_share_of_those_typed():
    said = [Said({}, {"equivalent": -0.1, "wrong": -2.0}), Said({}, {"equivalent": -2.0, "wrong": -0.1})]
    assert called_equivalent(said) == 0.5
