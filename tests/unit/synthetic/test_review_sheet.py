import json
import re

import pytest

from kosparse.evaluation.labelling import Judged
from kosparse.records import Reject
from kosparse.synthetic.review_sheet import BAD, GOOD, UNSURE, agreement, review_sheet, score, stratified
from tests.unit.synthetic.builders import pair, passages

PASSAGES = {passage.id: passage for passage in passages()}


def rejected(query, reason="copy"):
    return Reject(stage="filter_pairs", reason=reason, row=pair(query).model_dump())


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def judged(judge="", **grades):
    return Judged(
        judge=judge, queries=dict.fromkeys(grades, ""), judgements={name: {"p": g} for name, g in grades.items()}
    )


def test_the_sheet_mixes_kept_and_rejected_pairs_and_does_not_tell_which_is_which():
    kept = [
        pair(f"질의 {number}{kind[0]}", query_type=kind) for number in range(20) for kind in ("keyword", "question")
    ]
    page, count = review_sheet(kept, [rejected(f"나쁜 질의 {n}") for n in range(20)], PASSAGES, size=16, seed=1)
    shown = data_of(page)["queries"]
    assert count == len(shown) == 16
    assert sum(row["text"].startswith("나쁜") for row in shown) == 4
    assert "copy" not in page and "keyword" not in page
    assert [row["text"].startswith("나쁜") for row in shown] != sorted(row["text"].startswith("나쁜") for row in shown)


def test_rejects_that_never_became_a_pair_are_not_shown():
    lost = [Reject(stage="generate_queries", reason="not_json", row={"answer": "x"}), rejected("셀", "too_short")]
    page, count = review_sheet([pair("셀 보호")], lost, PASSAGES, size=10, seed=1)
    assert count == 2
    assert {row["text"] for row in data_of(page)["queries"]} == {"셀 보호", "셀"}


def test_hostile_text_cannot_leave_its_place():
    page, _ = review_sheet([pair("</script><script>alert(1)</script>")], [], PASSAGES, size=5, seed=1)
    assert "<script>alert" not in page


def test_strata_are_taken_in_turn():
    labelled = [("many", pair(f"a{n}")) for n in range(50)] + [("few", pair(f"b{n}")) for n in range(3)]
    chosen = [one.query[0] for one in stratified(labelled, 10, seed=1)]
    assert (chosen.count("a"), chosen.count("b")) == (7, 3)
    assert stratified(labelled, 10, seed=1) == stratified(labelled, 10, seed=1)
    assert stratified([], 10, seed=1) == []


def test_shares_are_told_of_kept_and_rejected_apart_and_unsure_ones_do_not_count():
    found = score([judged(a=GOOD, b=GOOD, c=BAD, d=UNSURE, x=BAD)], {"a": "k", "b": "k", "c": "q", "d": "q"})
    assert found["kept"]["share"] == pytest.approx(2 / 3, abs=1e-3)
    assert (found["kept"]["unsure"], found["rejected"]["bad"], found["rejected"]["share"]) == (1, 1, 0)
    assert found["by_type"]["k"]["share"] == 1.0


def test_the_precision_weighs_types_by_their_number():
    kept = {"a": "rare", "b": "common", **{f"other{n}": "common" for n in range(8)}}
    assert score([judged(a=GOOD, b=BAD)], kept)["precision"] == pytest.approx(0.1)
    assert score([judged(x=BAD)], kept)["precision"] is None


def test_agreement_is_that_of_the_literature():
    # Cohen 1960's kappa on a table of 20 and 15 agreements, 5 and 10 disagreements.
    one = [GOOD] * 25 + [BAD] * 25
    other = [GOOD] * 20 + [BAD] * 5 + [GOOD] * 10 + [BAD] * 15
    named = lambda grades: {str(row): grade for row, grade in enumerate(grades)}  # noqa: E731
    assert agreement(named(one), named(other)) == {"pairs": 50, "same": 0.7, "kappa": 0.4}
    assert agreement({"a": GOOD}, {"a": GOOD})["kappa"] is None
    assert agreement({"a": GOOD}, {"b": GOOD})["pairs"] == 0
