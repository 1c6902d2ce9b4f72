import json

import pytest

from kosparse.config import FilterPairsConfig
from kosparse.jsonl import read_records
from kosparse.records import Pair, Provenance, Reject
from kosparse.synthetic.dataset import write_dataset
from kosparse.synthetic.filters import filter_synthetic_pairs
from tests.unit.synthetic.builders import pair, passages

PROVENANCE = Provenance(prompt="generate_queries@2:abc", model="small", quantization="fp32", seed=13)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs") / "dataset"
    pairs = [
        pair("셀을 잠그는 방법", provenance=PROVENANCE),
        pair("매크로 기록은 어디서 하나요?", "macro", query_type="question", provenance=PROVENANCE),
        pair("<b>차트</b> 축 눈금", "chart"),
        pair("셀"),
    ]
    upstream = [Reject(stage="generate_queries", reason="not_json", row={"answer": "x"}, detail="line 1")]
    filtered = filter_synthetic_pairs(pairs, passages(), config=FilterPairsConfig(judge=False), upstream=upstream)
    assert len(filtered.kept) == 3
    write_dataset(folder, filtered, {row.id: row for row in passages()}, reviewed=10, seed=13)
    return folder


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_it_is_a_beir_folder(folder):
    corpus, queries = lines(folder / "corpus.jsonl"), lines(folder / "queries.jsonl")
    judged = [line.split("\t") for line in (folder / "qrels" / "train.tsv").read_text(encoding="utf-8").splitlines()]
    assert judged[0] == ["query-id", "corpus-id", "score"]
    assert {row[0] for row in judged[1:]} == {row["_id"] for row in queries}
    assert {row[1] for row in judged[1:]} == {row["_id"] for row in corpus} == {"cell#0", "macro#0", "chart#0"}
    assert {row[2] for row in judged[1:]} == {"3"}


def test_pairs_keep_scores_and_provenance_and_rejects_their_reasons(folder):
    pairs = list(read_records(folder / "pairs.jsonl", Pair))
    assert pairs[0].provenance == PROVENANCE and "overlap" in pairs[0].scores
    assert {row.reason for row in read_records(folder / "rejected.jsonl", Reject)} == {"not_json", "too_short"}


def test_the_card_counts(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# Synthetic query-passage pairs\n\n3 pairs on 3 passages, kept of 5 ")
    assert "| too_short | 1 |" in card and "| question | 1 |" in card
    assert "in one piece in 0.0 % of the queries" in card
    assert "small (fp32), prompt generate_queries@2:abc: 2 pairs" in card


def test_the_overview_shows_funnel_and_examples_and_runs_nothing(folder):
    page = (folder / "overview.html").read_text(encoding="utf-8")
    assert "생성 generated" in page and "too_short" in page and "셀을 잠그는 방법" in page
    assert "<script" not in page and "<b>차트</b>" not in page and "://" not in page


def test_there_is_a_sheet_to_review(folder):
    page = (folder / "review.html").read_text(encoding="utf-8")
    assert "매크로 기록은 어디서 하나요?" in page and 'data-key="g"' in page


def test_a_set_without_a_pair_is_written_all_the_same(tmp_path):
    filtered = filter_synthetic_pairs([pair("셀")], passages(), config=FilterPairsConfig(judge=False))
    write_dataset(tmp_path / "dataset", filtered, {}, reviewed=10, seed=13)
    assert "0 pairs on 0 passages" in (tmp_path / "dataset" / "README.md").read_text(encoding="utf-8")
