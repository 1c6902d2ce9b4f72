import math
import re

import pytest

from kosparse import prompts
from kosparse.config import DiscoverSynonymsConfig, VerifySynonymsConfig
from kosparse.records import Completion, Provenance, SynonymCandidate, Verdict
from kosparse.synonyms.discover import discover_synonyms_with_llm
from kosparse.synonyms.enhance import enhance_dictionary
from kosparse.synonyms.typed import PROMPT, TYPES, ask_types, likeliest, with_types
from kosparse.synonyms.verify import verify_synonyms_with_llm
from tests.fakes.chat import FakeChatModel

MEANINGS = {
    "equivalent": ("뜻이 같다", "they mean the same"),
    "hypernym": ("영어 용어의 뜻이 더 넓다", "the English term is broader"),
    "hyponym": ("한국어 용어의 뜻이 더 넓다", "the Korean term is broader"),
    "related": ("관련만 있다", "they are only related"),
    "antonym": ("뜻이 반대다", "they are opposites"),
    "wrong": ("관련이 없다", "they have nothing to do with each other"),
}


def candidate(ko, en, source="aligned", examples=()):
    return SynonymCandidate(ko=ko, en=en, source=source, examples=list(examples))


def pair_of(text):
    return tuple(re.findall(r"(?:한국어|Korean|영어|English): <<<(.*?)>>>", text))


def typist(kinds, otherwise=lambda request: "", first_letter=0.0):
    """Says of a pair what ``kinds`` says, and likes A better than other letters by ``first_letter``."""

    def answer(request):
        text = request.messages[-1]["content"]
        offered = dict(re.findall(r"^([A-F]): (.*)$", text, re.MULTILINE))
        if len(offered) < len(TYPES):
            return otherwise(request)
        right = MEANINGS[kinds.get(pair_of(text), "equivalent")]
        scores = {
            letter: (1.0 if told in right else -1.0) + first_letter * (letter == "A")
            for letter, told in offered.items()
        }
        return Completion(text=max(scores, key=scores.get), first_token_logprobs=scores)

    return FakeChatModel(answer)


def test_each_pair_is_typed_in_both_languages_with_the_options_in_both_orders():
    model = typist({("막대 차트", "chart"): "hypernym"}, first_letter=1.5)
    (types,) = ask_types(
        model, [candidate("막대 차트", "chart", examples=["가" * 500, "나", "다"])], what="types", budget_seconds=60
    )

    assert likeliest(types) == "hypernym"
    assert types == {name: pytest.approx(1.0 if name == "hypernym" else -1.0 + (name in ("equivalent", "wrong")) * 0.75)
                     for name in TYPES}  # fmt: skip
    asked = [request.messages[-1]["content"] for request in model.requests]
    assert len(asked) == 4 and sum("A: 뜻이 같다" in text for text in asked) == 1
    assert sum("F: they mean the same" in text for text in asked) == 1
    assert all("<<<" + "가" * 160 + ">>>" in text and "<<<나>>>" in text and "다>>>" not in text for text in asked)
    assert {(request.max_tokens, request.top_logprobs) for request in model.requests} == {(1, 20)}


def test_an_answer_without_a_letter_types_nothing():
    model = FakeChatModel(lambda request: Completion(text="글쎄", first_token_logprobs={"글쎄": -0.1}))
    assert ask_types(model, [candidate("셀", "cell")], what="types", budget_seconds=60) == [None]


def test_what_has_passed_is_typed_and_keeps_its_form_where_it_is_equivalent():
    kinds = {("켜기", "off"): "antonym", ("차트", "bar chart"): "hyponym"}
    model = typist(kinds)
    judged = Provenance(prompt="verify_synonym@1:abc", model="m")
    verdicts = [
        Verdict(
            candidate=candidate(ko, en, source), relation=relation, p=p, provenance=judged if ko == "켜기" else None
        )
        for ko, en, source, relation, p in (
            ("매크로", "macro", "aligned", "transliteration", 0.9),
            ("켜기", "off", "aligned", "equivalent", 0.9),
            ("차트", "bar chart", "aligned", "equivalent", 0.9),
            ("셀", "cell", "curated", "equivalent", 1.0),
            ("행", "line", "aligned", "unknown", 0.3),
        )
    ]

    typed = with_types(verdicts, model, known=[candidate("시트", "sheet")], threshold=0.8, budget_seconds=60)

    assert [each.relation for each in typed] == ["transliteration", "antonym", "hyponym", "equivalent", "unknown"]
    assert [bool(each.types) for each in typed] == [True, True, True, False, False]
    assert [each.p for each in typed] == [0.9, 0.9, 0.9, 1.0, 0.3]
    own = prompts.load(PROMPT).fingerprint
    made_by = [each.provenance.prompt if each.provenance else "" for each in typed]
    assert made_by == [own, f"verify_synonym@1:abc {own}", own, "", ""]
    entries, rejects = enhance_dictionary([each.candidate for each in typed], typed, [], 0.8)
    assert {(entry.ko, entry.direction, bool(entry.types)) for entry in entries} == {
        ("셀", "both", False),
        ("매크로", "both", True),
        ("차트", "en_to_ko", True),
    }
    assert {(reject.row["ko"], reject.reason) for reject in rejects} == {
        ("켜기", "typed_as_antonym"),
        ("행", "below_threshold"),
    }


def test_a_model_that_calls_known_synonyms_something_else_types_nothing(capsys):
    known = [candidate(f"말{n}", f"word{n}") for n in range(4)]
    model = typist({(each.ko, each.en): "hypernym" for each in known[:2]})
    verdicts = [Verdict(candidate=candidate("차트", "bar chart"), relation="equivalent", p=0.9)]

    assert with_types(verdicts, model, known=known, threshold=0.8, budget_seconds=60) == verdicts
    assert len(model.requests) == 4 * len(known)
    assert "of 4 known synonyms that it answered about in time, the language model calls 2" in capsys.readouterr().err
    late = with_types(verdicts, model, known=known, threshold=0.8, budget_seconds=0.0)
    assert late == verdicts and "of 0 known synonyms" in capsys.readouterr().err


@pytest.mark.parametrize("relations", ["form", "asked"])
def test_the_step_asks_when_it_is_told_to(labelled, knowing, relations):
    cell = candidate("셀", "cell", examples=["시트의 셀 | a cell of the sheet"])
    model = typist({("셀", "cell"): "related"}, otherwise=knowing._answer)
    config = VerifySynonymsConfig(relations=relations)

    (verdict,), _ = verify_synonyms_with_llm([cell], model, labelled=labelled, config=config)

    assert verdict.relation == ("related" if relations == "asked" else "transliteration")
    assert sum("a cell of the sheet" in request.messages[-1]["content"] for request in model.requests) == (
        4 if relations == "asked" else 0
    )


def test_what_is_discovered_is_typed_too(labelled, knowing):
    def answer(request):
        if request.json_schema is not None:
            return '{"korean": [], "english": ["cell"]}'
        return knowing._answer(request)

    model = typist({("셀", "cell"): "hyponym"}, otherwise=answer)
    known = Verdict(candidate=candidate("셀", "box"), p=0.99)
    config = DiscoverSynonymsConfig(relations="asked")

    (verdict,), _ = discover_synonyms_with_llm([known], [], model, config=config, labelled=labelled)

    assert (verdict.relation, verdict.types["hyponym"]) == ("hyponym", pytest.approx(1.0))


def test_log_probabilities_of_letters_sum_their_spellings():
    model = FakeChatModel(
        lambda request: Completion(text="A", first_token_logprobs={"A": math.log(0.4), " A": math.log(0.2), "가": -9.0})
    )
    (types,) = ask_types(model, [candidate("셀", "cell")], what="types", budget_seconds=60)
    assert types["equivalent"] == types["wrong"] == pytest.approx((math.log(0.6) - 9.0) / 2, abs=1e-3)
    assert types["related"] == pytest.approx(-9.0)
