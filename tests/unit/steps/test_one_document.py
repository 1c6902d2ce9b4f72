"""A collection of one document, step by step: it trains a model, or ends in words that say why not."""

import json

import pytest

from kosparse.corpus.splitting import split_of
from kosparse.errors import InputError
from kosparse.jsonl import read_records, write_json, write_lines
from kosparse.records import Passage
from kosparse.steps import (
    build_training_set,
    compute_idf,
    detect_trends,
    evaluate,
    ingest_corpus,
    prepare_backbone,
    train_sparse,
)
from tests.fakes.tiny_encoder import write_tiny_encoder
from tests.unit.evaluation.world import FakeEmbedder

TEXT = "셀을 보호하려면 먼저 시트를 보호해야 합니다. 시트 보호는 도구 메뉴에서 고릅니다. 암호를 정할 수도 있습니다."


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    for name in ("MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI", "S3_ENDPOINT", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", lambda name="": FakeEmbedder())


@pytest.fixture
def until_training(tmp_path):
    """Run the steps up to the training set over one document of this id; the paths of everything."""

    def run(document_id, query="", **training_set):
        corpus = tmp_path / "my.jsonl"
        corpus.write_text(json.dumps({"_id": document_id, "text": TEXT}, ensure_ascii=False), encoding="utf-8")
        paths = {name: tmp_path / name for name in ingest_corpus.run.outputs}
        asked, judged = tmp_path / "queries.jsonl", tmp_path / "test.tsv"
        write_lines(asked, [json.dumps({"_id": "q", "text": query})])
        write_lines(judged, ["query-id\tcorpus-id\tscore", f"q\t{document_id}\t1"])
        given = {"queries": str(asked) if query else "", "qrels": str(judged) if query else ""}
        ingest_corpus.run(corpus=str(corpus), query_log="", **given, **paths)
        assert len(list(read_records(paths["passages"], Passage))) == 1
        for step in (prepare_backbone, compute_idf, detect_trends, build_training_set, train_sparse, evaluate):
            paths |= {name: tmp_path / name for name in (*step.run.inputs, *step.run.outputs) if name not in paths}
        for empty in ("generated_passages", "kept", "mined", "written", "dictionary"):
            write_lines(paths[empty], [])
        encoder = write_tiny_encoder(tmp_path / "encoder", [TEXT])
        _run(prepare_backbone, paths, model=str(encoder), layers=2, max_length=64)
        _run(compute_idf, paths)
        _run(detect_trends, paths)
        _run(build_training_set, paths, **training_set)
        return paths

    return run


def _run(step, paths, **config):
    return step.run(config=config, **{name: paths[name] for name in (*step.run.inputs, *step.run.outputs)})


def _evaluate(paths):
    paths["champion"].mkdir()
    write_json(paths["champion"] / "champion.json", {"name": "kosparse", "version": ""})
    return _run(evaluate, paths, permutations=100)


def test_one_document_and_one_judged_query_train_and_measure_a_model(until_training):
    assert split_of("d1") == "test"
    paths = until_training("d1", query="암호를 정하려면")
    assert _run(train_sparse, paths, max_steps=2, max_seconds=60.0)["steps"] == 2
    metrics = _evaluate(paths)
    assert metrics["bm25_kiwi.ndcg@10"] == 1.0  # it is the only one to be found


def test_one_document_without_queries_leaves_nothing_to_measure_on(until_training):
    assert split_of("d0") == "train"
    paths = until_training("d0")
    _run(train_sparse, paths, max_steps=1, max_seconds=60.0)
    with pytest.raises(InputError, match="there is nothing to evaluate on") as caught:
        _evaluate(paths)
    assert "QUERIES=" in caught.value.fix


def test_one_document_that_is_held_out_leaves_nothing_to_train_on(until_training):
    assert split_of("d4") == "validation"
    paths = until_training("d4")
    with pytest.raises(InputError, match="no query is left to train on") as caught:
        _run(train_sparse, paths, max_steps=1, max_seconds=60.0)
    assert "Give more documents" in caught.value.fix


def test_one_document_and_no_pseudo_queries_make_no_training_set(until_training):
    with pytest.raises(InputError, match="there is nothing to train on") as caught:
        until_training("d0", pseudo_queries=0)
    assert "pseudo_queries" in caught.value.fix
