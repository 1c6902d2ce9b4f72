import numpy as np
import pytest

from kosparse.jsonl import read_records, write_records
from kosparse.records import NegativeDoc
from kosparse.sparse import mined as blocks
from kosparse.sparse.negatives import bm25_miner, dense_miner
from kosparse.steps import mine_negatives as step
from tests.unit.synthetic.builders import CELL, CHART, MACRO, pair, passage

NEAR = "셀 보호를 끄려면 시트 보호를 먼저 해제하고 셀의 잠금을 풉니다."
PASSAGES = [passage(CELL, "cell"), passage(MACRO, "macro"), passage(CHART, "chart"), passage(NEAR, "near")]
QUERY = pair("셀 보호 잠금 선택")


class Embedder:
    """Each text points where this says; anything else nowhere."""

    fingerprint, dimensions = "fake", 2

    def __init__(self, **vectors):
        self.vectors = {passage.text: vectors[passage.document_id] for passage in PASSAGES}

    def encode(self, texts, kind):
        return np.array([self.vectors.get(text, [1.0, 0.0]) for text in texts], dtype=np.float32)


def mined(pairs, passages=PASSAGES, **changes):
    return bm25_miner(passages, **{"per_pair": 4, "depth": 10, "max_share_of_positive": 0.95, **changes})(pairs)


def dense(pairs, embedder, **changes):
    settings = {"per_pair": 4, "depth": 10, "max_share_of_positive": 0.95, **changes}
    return [row.passage_id for row in dense_miner(PASSAGES, embedder, **settings)(pairs)]


def test_passages_that_share_words_and_rank_below_are_taken():
    found = mined([QUERY])
    assert [row.passage_id for row in found][:1] == ["near#0"]
    assert {(row.kind, row.pair_id) for row in found} == {("bm25", QUERY.id)}
    assert all(row.score > 0 for row in found)


def test_what_scores_close_to_the_positive_may_be_an_answer():
    twin = passage(CELL, "twin")
    assert "twin#0" not in [row.passage_id for row in mined([QUERY], [*PASSAGES, twin])]
    assert "near#0" not in [row.passage_id for row in mined([QUERY], max_share_of_positive=0.01)]


def test_other_passages_of_the_same_document_are_no_negatives():
    assert "cell#1" not in [row.passage_id for row in mined([QUERY], [*PASSAGES, passage(NEAR, "cell", 1)])]


def test_at_most_so_many_per_pair():
    assert len(mined([QUERY, pair("매크로 기록 선택", "macro")], per_pair=1)) == 2
    assert mined([]) == []


def test_a_passage_that_is_not_in_the_collection_gets_none():
    asked = pair("셀 보호", passage_id="gone#0")
    assert mined([asked]) == []
    assert dense([asked], Embedder(cell=[1, 0], macro=[0, 1], chart=[0, 1], near=[0, 1])) == []


def test_dense_negatives_are_close_and_clearly_below_the_positive():
    embedder = Embedder(cell=[1.0, 0.0], macro=[0.5, 0.5], chart=[0.96, 0.1], near=[0.9, 0.1])
    assert dense([QUERY], embedder) == ["near#0", "macro#0"]
    assert dense([QUERY], embedder, per_pair=1) == ["near#0"]
    assert dense([QUERY], embedder, depth=1) == [], "the best is the positive itself"


def test_each_stream_can_be_switched(tmp_path, monkeypatch):
    embedder = Embedder(cell=[1.0, 0.0], macro=[0.5, 0.5], chart=[0.0, 1.0], near=[0.9, 0.1])
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", lambda: embedder)
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path / "cache"))
    write_records(tmp_path / "kept", [QUERY])
    write_records(tmp_path / "passages", PASSAGES)

    def kinds(**config):
        files = {name: tmp_path / name for name in ("kept", "passages", "mined")}
        step.run(config=config, **files)
        return {row.kind for row in read_records(tmp_path / "mined", NegativeDoc)}

    assert kinds() == {"bm25"}
    assert kinds(dense_per_pair=2) == {"bm25", "dense"}
    assert kinds(per_pair=0, dense_per_pair=2) == {"dense"}
    assert kinds(per_pair=0) == set()


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_mining_that_is_killed_goes_on_with_the_block_it_was_at(tmp_path, monkeypatch, capsys, at):
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(blocks, "BLOCK", 2)
    asked = [QUERY, pair("매크로 기록 선택", "macro"), pair("차트 선택", "chart"), pair("셀 선택"), pair("셀 보호")]
    write_records(tmp_path / "passages", PASSAGES)
    done = []

    def run(pairs, kill=0, **config):
        done.clear()

        def once(collection, **limits):
            mine = bm25_miner(collection, **limits)

            def killed(block):
                if len(done) + 1 == kill:
                    raise KeyboardInterrupt
                done.append([one.query for one in block])
                return mine(block)

            return killed

        monkeypatch.setattr(step, "bm25_miner", once)
        write_records(tmp_path / "kept", pairs)
        step.run(config=config, kept=tmp_path / "kept", passages=tmp_path / "passages", mined=tmp_path / "mined")
        return (tmp_path / "mined").read_bytes()

    whole = run(asked)
    assert len(done) == 3 and whole
    with pytest.raises(KeyboardInterrupt):
        run(asked, kill=at)

    assert run(asked[::-1]) and len(done) == 3, "other pairs are another mining"
    assert run(asked, per_pair=1) and len(done) == 3, "so are other settings"
    capsys.readouterr()
    assert run(asked) == whole and len(done) == 4 - at
    assert ("blocks of pairs are mined already" in capsys.readouterr().err) == (at > 1)
    assert not list((tmp_path / "cache" / "mined").iterdir()), "what is done is not kept"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_no_negative_scores_above_the_share(share):
    positive = {row.passage_id: row.score for row in mined([QUERY], max_share_of_positive=1.0)}
    assert all(row.score <= positive[row.passage_id] for row in mined([QUERY], max_share_of_positive=share))
