from kosparse.config import DiscoverSynonymsConfig
from kosparse.records import SynonymCandidate, Verdict
from kosparse.synonyms.enhance import enhance_bilingual_dict_with_llm, enhance_dictionary, summarise
from tests.unit.synonyms.conftest import judge


def candidate(ko, en, source="aligned", count=1, **features):
    features = {f"from_{source}": 1.0, **features}
    return SynonymCandidate(ko=ko, en=en, source=source, count=count, features=features)


def verdict(candidate, p):
    return Verdict(candidate=candidate, p=p, relation="equivalent")


CURATED = candidate("글꼴", "font", "curated")
CELL, ROW = candidate("셀", "cell", count=4), candidate("셀", "row", "pattern")


def test_what_reaches_the_threshold_stays_and_curated_always_does():
    entries, rejects = enhance_dictionary(
        [CURATED, CELL, ROW], [verdict(CURATED, 0.1), verdict(CELL, 0.8), verdict(ROW, 0.79)], [], threshold=0.8
    )

    assert [(e.ko, e.en, e.p, e.curated) for e in entries] == [("글꼴", "font", 1.0, True), ("셀", "cell", 0.8, False)]
    assert [(r.reason, r.row["en"]) for r in rejects] == [("below_threshold", "row")]


def test_evidence_of_one_pair_is_merged_and_the_best_probability_counts():
    again = candidate("셀", "Cells", "discovered", count=9)

    (entry,), _ = enhance_dictionary([CELL], [verdict(CELL, 0.7)], [verdict(again, 0.9)], threshold=0.8)

    assert (entry.p, entry.count, entry.sources) == (0.9, 9, ["aligned", "discovered"])


def test_candidates_without_a_verdict_are_counted_not_lost():
    _, rejects = enhance_dictionary([CELL], [], [], threshold=0.8)

    assert [r.reason for r in rejects] == ["not_verified"]


def test_terms_of_no_document_are_marked_and_not_counted():
    unseen = candidate("달", "moon", "curated", documents=0.0)
    entries, _ = enhance_dictionary([unseen, CURATED], [], [], threshold=0.8)

    summary = summarise([unseen, CURATED], entries, 0.8)

    assert [e.sources for e in entries if e.ko == "달"] == [["curated", "not_in_documents"]]
    assert (summary["before"], summary["after"], summary["unseen"]) == (1, 1, 1)


def test_before_is_curated_and_glossed_pairs_and_growth_their_multiple():
    verdicts = [verdict(CELL, 0.9), verdict(ROW, 0.2)]
    entries, _ = enhance_dictionary([CURATED, CELL, ROW], verdicts, [], threshold=0.8)

    summary = summarise([CURATED, CELL, ROW], entries, 0.8)

    assert (summary["before"], summary["after"], summary["growth"]) == (2, 2, 1.0)
    assert summary["by_source"] == {"curated": 1, "aligned": 1}
    assert summary["expected_precision"] == 0.9
    assert summary["examples"] == [
        {"ko": "셀", "en": "cell", "p": 0.9, "relation": "equivalent", "sources": ["aligned"]}
    ]


def test_nothing_mined_leaves_the_curated_pairs_and_a_note():
    entries, rejects = enhance_dictionary([CURATED], [], [], threshold=0.8)

    assert ([e.ko for e in entries], rejects) == (["글꼴"], [])
    assert "curated pairs only" in summarise([CURATED], entries, 0.8)["note"]
    assert summarise([], [], 0.8)["growth"] is None


def test_the_plans_call_verifies_a_plain_dict(knowing_shipped):
    bilingual_dict = {"셀": ["cell", "umbrella"], "글꼴": "font"}

    enhanced = enhance_bilingual_dict_with_llm(
        initial_dict=bilingual_dict,
        verification_threshold=0.8,
        model=knowing_shipped,
        discover=DiscoverSynonymsConfig(max_terms=0),
    )

    assert enhanced == {"셀": ["cell"], "글꼴": ["font"]}
    assert enhanced.summary["before"] == 3
    assert [row["en"] for row in enhanced.summary["rejected"]] == ["umbrella"]
    assert {entry.en for entry in enhanced.entries} == {"cell", "font"}


def test_an_empty_dict_stays_empty_and_asks_nothing():
    model = judge(lambda ko, en: 0.9)

    assert enhance_bilingual_dict_with_llm({}, model=model) == {}
    assert model.requests == []


def test_what_a_curator_calls_wrong_stays_out_and_is_told():
    wrong = candidate("셀", "cell", "curated", wrong=1.0)

    entries, rejects = enhance_dictionary([wrong], [verdict(CELL, 0.99)], [], threshold=0.8)

    assert entries == []
    assert [reject.reason for reject in rejects] == ["curated_as_wrong"]


def test_a_term_no_analyzer_leaves_anything_of_is_told():
    entries, rejects = enhance_dictionary([], [verdict(candidate("셀", "😀"), 0.99)], [], threshold=0.8)

    assert entries == []
    assert [reject.reason for reject in rejects] == ["not_searchable"]


def test_an_entry_keeps_the_evidence_and_the_answers():
    judged = verdict(candidate("셀", "cell", cosine=0.9), 0.95).model_copy(update={"log_odds": {"ko": 2.0}})

    (entry,), _ = enhance_dictionary([], [judged], [], threshold=0.8)

    assert (entry.features["cosine"], entry.log_odds, entry.direction) == (0.9, {"ko": 2.0}, "both")
