import json

import numpy as np
import pytest

from kosparse.errors import InputError
from kosparse.jsonl import read_json, read_records, write_lines, write_records
from kosparse.records import NegativeDoc, Pair, Passage
from kosparse.sparse.training_set import TrainingSet
from kosparse.steps.build_training_set import run
from tests.fakes.memory_store import MemoryStore
from tests.unit.evaluation.world import TEXTS, FakeEmbedder

QUERY = "셀 보호"
BEST = "calc/protect#0"


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Run the step over four passages and one pair; its metrics and what it wrote."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", lambda name="": FakeEmbedder())
    cuts = [Passage(id=f"{name}#0", document_id=name, position=0, text=text) for name, text in TEXTS.items()]
    pair = Pair(id="a", query=QUERY, passage_id=BEST, document_id="calc/protect", origin="document_to_query")
    paths = {name: tmp_path / name for name in (*run.inputs, *run.outputs)}
    write_records(paths["passages"], cuts)
    write_records(paths["kept"], [pair])
    write_lines(paths["evaluation"] / "queries.jsonl", [])
    for empty in ("generated_passages", "mined", "written", "dictionary"):
        write_lines(paths[empty], [])

    def call(**config):
        metrics = run(config={"pseudo_queries": 0, **config}, **paths)
        data = TrainingSet.load(paths["training_set"])
        names = [data.passages[place].id for place in data.teacher.passages[0]]
        scores = dict(zip(names, data.teacher.scores[0].tolist(), strict=True))
        return metrics, scores, read_json(paths["training_set"] / "summary.json")

    return call


def _lines(**scores):
    return [
        json.dumps({"query": QUERY, "document_id": f"calc/{name}", "score": score}) for name, score in scores.items()
    ]


def test_scores_of_a_file_are_mixed_into_the_teachers(build, tmp_path):
    write_lines(tmp_path / "scores.jsonl", _lines(protect=-1.0, print=3.0))
    plain, before, summary = build()
    assert not [name for name in (*plain, *summary) if "given" in name]
    metrics, after, summary = build(teacher_scores=str(tmp_path / "scores.jsonl"), teacher_weight=0.8)
    assert after["calc/protect#0"] == pytest.approx(0.2 * before["calc/protect#0"])
    assert after["calc/print#0"] == pytest.approx(0.2 * before["calc/print#0"] + 0.8)
    assert after["writer/table#0"] == before["writer/table#0"]
    assert list(before)[0] == BEST and list(after)[0] == "calc/print#0"  # best first
    assert metrics["training_set/given_scores"] == 2 and summary["given_queries"] == 1


def test_a_passage_that_the_ensemble_would_not_keep_comes_in_by_its_given_score(build, tmp_path):
    write_lines(tmp_path / "scores.jsonl", _lines(protect=0.0, print=1.0))
    assert "calc/print#0" not in build(teacher_depth=2)[1]
    assert "calc/print#0" in build(teacher_depth=2, teacher_scores=str(tmp_path / "scores.jsonl"))[1]


def test_scores_in_the_object_store_are_brought_and_errors_name_their_address(build, tmp_path, monkeypatch):
    store = MemoryStore()
    monkeypatch.setattr("kosparse.adapters.store_s3.open_store", lambda: store)
    store.objects["bucket/teacher/scores.jsonl"] = "\n".join(_lines(protect=1.0, print=0.0)).encode()
    assert np.isclose(build(teacher_scores="s3://bucket/teacher/scores.jsonl", teacher_weight=1.0)[1][BEST], 1.0)
    store.objects["bucket/teacher/scores.jsonl"] = b"{}\n"
    with pytest.raises(InputError, match="not a score") as caught:
        build(teacher_scores="s3://bucket/teacher/scores.jsonl")
    assert caught.value.where == "s3://bucket/teacher/scores.jsonl:1"


def test_a_missing_file_of_scores_stops_the_step(build, tmp_path):
    with pytest.raises(InputError, match="there is no such file of scores") as caught:
        build(teacher_scores=str(tmp_path / "none.jsonl"))
    assert "teacher_scores" in caught.value.fix


def test_of_a_large_collection_some_documents_are_trained_on_those_of_pairs_first(build, tmp_path):
    _, all_scores, summary = build()
    assert len(all_scores) == 4 and summary["passages_left_out"] == 0
    metrics, scores, summary = build(max_passages=2, pseudo_queries=50)
    assert len(scores) == summary["passages"] == 2 and list(scores)[0] == BEST
    assert metrics["training_set/passages_left_out"] == 2 and summary["pseudo"] > 0
    events = (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    assert "trained on 2 of 4 passages (build_training_set.max_passages)" in events


def test_negatives_and_pairs_of_documents_that_are_left_out_are_left_out_too(build, tmp_path):
    more = Pair(id="b", query="표 넣기", passage_id="writer/table#0", document_id="writer/table", origin="pseudo")
    write_records(tmp_path / "kept", [*read_records(tmp_path / "kept", Pair), more])
    names = (BEST, "writer/table#0")
    mined = [NegativeDoc(pair_id=pair, passage_id=name, kind="bm25") for pair in "ab" for name in names]
    write_records(tmp_path / "mined", mined)
    assert build()[2]["negatives"] == 4
    summary = build(max_passages=1)[2]
    assert (summary["synthetic"] + summary["pseudo"], summary["passages"], summary["negatives"]) == (1, 1, 1)
    assert (summary["pairs_left_out"], summary["pairs_without_answer"]) == (1, 0)


def test_a_passage_written_to_be_no_answer_makes_no_query(build, tmp_path):
    (pair,) = read_records(tmp_path / "kept", Pair)
    write_records(tmp_path / "kept", [pair, pair.model_copy(update={"id": "b", "query": "셀 색", "grade": 1})])
    summary = build()[2]
    assert (summary["queries"], summary["pairs_without_answer"], summary["pairs_left_out"]) == (1, 1, 0)
