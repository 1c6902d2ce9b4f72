import json

import pytest

from kosparse.config import DiscoverSynonymsConfig
from kosparse.errors import ServiceError
from kosparse.prompts import answer_text, load
from kosparse.records import Completion, Document, Reject, SynonymCandidate, Verdict
from kosparse.synonyms.discover import discover_synonyms_with_llm, parse_proposals
from tests.fakes.chat import FakeChatModel

KNOWN = Verdict(candidate=SynonymCandidate(ko="셀", en="cell", source="aligned"), p=0.95)
DOCUMENTS = [Document(id="1", text="쎌을 고르고 셀을 지웁니다.")]


def proposing(proposals, judging):
    """Answers proposals with ``proposals`` and verifications as ``judging`` does."""

    def answer(request):
        if request.json_schema is not None:
            return json.dumps(proposals, ensure_ascii=False) if isinstance(proposals, dict) else proposals
        return next(iter(judging.complete([request])))[1]

    return FakeChatModel(answer)


def test_examples_of_the_prompt_are_read_by_the_parser():
    prompt = load("discover_synonyms")

    for example in prompt.examples:
        korean, english = parse_proposals(answer_text(example.answer), 2)
        assert korean and english


def test_proposals_are_tidied_and_limited():
    text = '{"korean": ["“버튼” ", "", 3, "가", "나"], "english": "none"}'

    assert parse_proposals(text, 2) == (["버튼", "가"], [])
    with pytest.raises(ValueError):
        parse_proposals("[1]", 2)


def test_every_proposal_is_verified_and_looked_up_in_the_documents(labelled, knowing):
    model = proposing({"korean": ["쎌", "셀"], "english": ["box", "V26"]}, knowing)

    found, rejects = discover_synonyms_with_llm([KNOWN], DOCUMENTS, model, labelled=labelled)

    assert [(v.candidate.ko, v.candidate.en, v.candidate.features["documents"]) for v in found] == [
        ("쎌", "cell", 1.0),
        ("셀", "box", 0.0),
    ]
    assert all(v.asked_llm and v.p < 0.5 and v.candidate.source == "discovered" for v in found)
    assert sorted(r.reason for r in rejects) == ["en_code", "known"]


def test_unreadable_answers_are_rejected_and_nothing_is_lost(labelled, knowing):
    found, rejects = discover_synonyms_with_llm([KNOWN], DOCUMENTS, proposing("음, 글쎄요", knowing), labelled=labelled)

    assert found == []
    assert [r.reason for r in rejects] == ["unreadable_answer"]


def test_failed_requests_are_passed_on(labelled):
    failed = Reject(stage="llm", reason="timeout")

    _, rejects = discover_synonyms_with_llm([KNOWN], DOCUMENTS, FakeChatModel(lambda r: failed), labelled=labelled)

    assert rejects == [failed]


def test_doubtful_pairs_are_not_extended_and_no_terms_ask_nothing(labelled, knowing):
    doubtful = KNOWN.model_copy(update={"p": 0.5})

    assert discover_synonyms_with_llm([doubtful], DOCUMENTS, knowing, labelled=labelled) == ([], [])
    assert discover_synonyms_with_llm(
        [KNOWN], DOCUMENTS, knowing, config=DiscoverSynonymsConfig(max_terms=0), labelled=labelled
    ) == ([], [])
    assert knowing.requests == []


def test_a_model_without_probabilities_is_refused_here_too(labelled):
    def answer(request):
        if request.json_schema:
            return '{"korean": ["쎌"], "english": []}'
        return Completion(text="예")

    with pytest.raises(ServiceError):
        discover_synonyms_with_llm([KNOWN], DOCUMENTS, FakeChatModel(answer), labelled=labelled)


def test_pairs_of_the_users_own_calibrate_proposals_too(tmp_path, knowing, labelled):
    own = tmp_path / "own.tsv"
    rows = [f"{pair.ko}\t{pair.en}\t{int(pair.label)}\t{pair.kind}\t" for pair in labelled]
    own.write_text("\n".join(["ko\ten\tlabel\tkind\tevidence", *rows]) + "\n", encoding="utf-8")
    model = proposing({"korean": [], "english": ["sheet cell"]}, knowing)

    config = DiscoverSynonymsConfig(labelled=str(own), budget_seconds=60)
    discover_synonyms_with_llm([KNOWN], DOCUMENTS, model, config=config)

    asked = "\n".join(request.messages[-1]["content"] for request in model.requests)
    named = [pair for pair in labelled if f"<<<{pair.ko}>>>" in asked and f"<<<{pair.en}>>>" in asked]
    assert len(named) >= 24
