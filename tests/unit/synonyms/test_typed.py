import math

import pytest

from kosparse import prompts
from kosparse.config import DiscoverSynonymsConfig, VerifySynonymsConfig
from kosparse.records import Completion, SynonymCandidate, Verdict
from kosparse.synonyms.discover import discover_synonyms_with_llm
from kosparse.synonyms.enhance import enhance_dictionary
from kosparse.synonyms.typed import PROMPT, TYPES, ask_types, likeliest, related_by_types
from kosparse.synonyms.typist import Typist, telling_right
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


def test_a_typist_is_believed_when_it_tells_synonyms_and_others_apart(labelled, knowing):
    assert Typist(knowing, labelled, budget_seconds=60).right == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("answer", ["equivalent", "wrong"])
def test_what_a_model_that_says_the_same_of_all_says_of_others_is_kept_and_decides_nothing(labelled, answer, capsys):
    model = typist({(pair.ko, pair.en): answer for pair in labelled} | {("셀", "cell"): "hypernym"})
    judged = [Verdict(candidate=candidate("셀", "cell"), relation="transliteration", p=0.9)]

    typing = Typist(model, labelled, budget_seconds=60)
    (types,) = typing.types([judged[0].candidate], budget_seconds=60)
    asked = len(model.requests)
    related = typing.relate(judged, {0: types}, threshold=0.8, budget_seconds=60)

    assert typing.right == 0.5 and not typing.can_tell and likeliest(types) == "hypernym"
    assert related[0].types == types and related[0].provenance.prompt == prompts.load(PROMPT).fingerprint
    assert related[0].model_copy(update={"types": {}, "provenance": None}) == judged[0] and len(model.requests) == asked
    told = capsys.readouterr().err
    assert "tells 50% of how the terms of 80 labelled pairs relate, so it does not decide that of others" in told


def test_a_model_that_does_not_speak_of_types_is_asked_no_further(labelled, capsys):
    silent = FakeChatModel(lambda request: Completion(text="글쎄", first_token_logprobs={"글쎄": -0.1}))
    typing = Typist(silent, labelled, budget_seconds=60)
    asked = len(silent.requests)
    assert typing.right is None and not typing.can_tell
    assert typing.types([candidate("셀", "cell")], budget_seconds=60) == [None] and len(silent.requests) == asked
    told = capsys.readouterr().err
    assert "does not say how the terms of 80 labelled pairs relate, so it is not asked that of others" in told


@pytest.mark.parametrize(
    ("labels", "told", "right"),
    [
        ([True, False], ["equivalent", "related"], 1.0),
        ([True, True, False, False], ["equivalent", "hypernym", "wrong", "equivalent"], 0.5),
        ([True, True, True, False], ["equivalent"] * 4, 0.5),
        ([True, False], ["equivalent", None], None),
        ([], [], None),
    ],
)
def test_how_far_types_tell_synonyms_from_others(labels, told, right):
    types = [name and {each: -0.1 if each == name else -3.0 for each in TYPES} for name in told]
    assert telling_right(labels, types) == right


@pytest.mark.parametrize(("relations", "relation"), [("form", "transliteration"), ("asked", "related")])
def test_the_type_comes_first_and_decides_how_terms_relate(labelled, knowing, relations, relation):
    cell = candidate("셀", "cell", examples=["시트의 셀 | a cell of the sheet"])
    model = typist({("셀", "cell"): "related"}, otherwise=knowing._answer)

    (verdict,), report = verify_synonyms_with_llm(
        [cell], model, labelled=labelled, config=VerifySynonymsConfig(relations=relations)
    )

    asked = relations == "asked"
    assert report["typed"] == int(asked)
    assert verdict.relation == relation and bool(verdict.types) == asked and verdict.p > 0.8
    texts = [request.messages[-1]["content"] for request in model.requests if "셀" in request.messages[-1]["content"]]
    kinds = [relation_asked(text) is not None for text in texts]
    assert kinds == [True, True] * asked + [False] * (len(kinds) - 2 * asked) and len(kinds) > 2
    assert sum("a cell of the sheet" in text for text in texts) == 2 * asked
    fingerprint = prompts.load(PROMPT).fingerprint
    assert verdict.provenance.prompt.startswith(fingerprint) == asked and len(verdict.provenance.prompt.split()) > 2
    assert report["controls"].get("typed_right", 0.0) == (pytest.approx(0.9, abs=0.1) if asked else 0.0)


def test_a_model_that_cannot_tell_types_decides_nothing(labelled, knowing, capsys):
    kinds = {(pair.ko, pair.en): "equivalent" for pair in labelled}
    model = typist({**kinds, ("셀", "cell"): "related"}, otherwise=knowing._answer)

    (verdict,), report = verify_synonyms_with_llm([candidate("셀", "cell")], model, labelled=labelled)

    assert (verdict.relation, likeliest(verdict.types)) == ("transliteration", "related") and verdict.p > 0.8
    assert (report["controls"]["typed_right"], report["typed"]) == (0.5, 1)
    assert "tells 50% of how the terms of 16 labelled pairs relate" in capsys.readouterr().err


def test_what_is_discovered_is_typed_too(labelled, knowing):
    def answer(request):
        if request.json_schema is not None:
            return '{"korean": [], "english": ["cell"]}'
        return knowing._answer(request)

    model = typist({("셀", "cell"): "hyponym"}, otherwise=answer)
    known = Verdict(candidate=candidate("셀", "box"), p=0.99)

    (verdict,), _ = discover_synonyms_with_llm([known], [], model, config=DiscoverSynonymsConfig(), labelled=labelled)
    assert (verdict.relation, verdict.types["hypernym"]) == ("hyponym", pytest.approx(-0.1))


def test_log_probabilities_of_letters_sum_their_spellings():
    model = FakeChatModel(
        lambda request: Completion(text="A", first_token_logprobs={"A": math.log(0.4), " A": math.log(0.2), "가": -9.0})
    )
    (types,) = ask_types(model, [candidate("셀", "cell")], what="types", budget_seconds=60)
    assert types["equivalent"] == types["wrong"] == pytest.approx((math.log(0.6) - 9.0) / 2, abs=1e-3)
    assert types["related"] == pytest.approx(-9.0)
