import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kosparse.cli import main
from kosparse.commands import refresh, stored_run
from kosparse.commands.run_folder import link_outputs
from kosparse.errors import InputError, ResourceError, ServiceError
from kosparse.export.query_weights import query_weights
from kosparse.export.reweigh import Weighing, reweigh
from kosparse.jsonl import read_json, read_records, write_json, write_lines
from kosparse.records import Document, Passage, SynonymCandidate
from kosparse.sparse.search import SparseIndex
from kosparse.steps import compute_idf, ingest_corpus
from tests.fakes.memory_store import MemoryStore
from tests.fakes.tiny_sparse_encoder import TEXTS, write_tiny_morpheme_encoder
from tests.unit.evaluation.world import FakeEmbedder

PREFIX = "v2/artifacts/kosparse/7f3a"
STORED = f"s3://mlpipeline/{PREFIX}"
NEW = "새 시트(sheet)를 더하고 이름을 정하면 표가 그 시트로 옮겨집니다."


def _corpus(path, texts):
    rows = [{"_id": name, "text": text} for name, text in texts.items()]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return write_tiny_morpheme_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def base(tmp_path, monkeypatch, encoder):
    """A finished run over three Korean documents, as far as a refresh reads it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("LLM_BASE_URL", raising=False)
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", lambda name="": FakeEmbedder())
    run = tmp_path / "runs" / "base"
    tasks = run / "outputs" / "kosparse"
    given = {"corpus": str(_corpus(tmp_path / "old.jsonl", dict(zip("abc", TEXTS, strict=False)))), "queries": ""}
    ingested = {name: tasks / "ingest-corpus" / name for name in ingest_corpus.run.outputs}
    ingest_corpus.run(**given, qrels="", query_log="", **ingested)
    (tasks / "train-sparse").mkdir()
    (tasks / "train-sparse" / "model").symlink_to(encoder)
    queries = encoder / "query_0_MorphemeQuery"
    compute_idf.run(passages=ingested["passages"], backbone=queries, idf=tasks / "compute-idf" / "idf")
    write_json(tasks / "detect-trends/trends", {"terms": {}})
    for empty in ("mine-synonyms/candidates", "verify-synonyms/verdicts", "discover-synonyms/discovered"):
        write_lines(tasks / empty, [])
    write_json(tasks / "serve-llm/llm", {})
    write_json(run / "arguments.json", {"mine_synonyms": {"sources": ["pattern"]}})
    link_outputs(run, {path.name.replace("-", "_"): path for path in tasks.iterdir()})
    return run


def _refresh(base, corpus, capsys, *more):
    status = main(["refresh", "--run", str(base), "--corpus", str(corpus), "--json", *more])
    printed = capsys.readouterr()
    return status, json.loads(printed.out) if status == 0 else printed.err


def _beside(base):
    """What lies beside a run."""
    return {path.name for path in base.parent.iterdir()} - {base.name}


def test_only_new_passages_are_encoded_and_everything_else_follows(base, tmp_path, capsys):
    texts = {"a": TEXTS[0], "b": TEXTS[1] + " 행과 열의 수를 정합니다.", "d": NEW}
    status, told = _refresh(base, _corpus(tmp_path / "now.jsonl", texts), capsys)
    assert status == 0
    counts = [told[name] for name in ("new", "changed", "removed", "unchanged", "passages", "passages_encoded")]
    assert counts == [1, 1, 1, 1, 3, 2]
    run = base.parent / "latest"
    before = SparseIndex.open(base / "model", base / "passages.jsonl", base / "index")
    after = SparseIndex.open(run / "model", run / "passages.jsonl", run / "index")
    assert after.passage_ids == ["a#0", "b#0", "d#0"]
    np.testing.assert_array_equal(after.weights[0].toarray(), before.weights[0].toarray())
    np.testing.assert_allclose(
        after.weights[2].toarray(), after.model.encode_documents([NEW]).toarray(), rtol=1e-5, atol=1e-6
    )
    mined = read_records(run / "outputs/refresh/mine-synonyms/unknown", SynonymCandidate)
    assert ("시트", "sheet") in {(row.ko, row.en) for row in mined}
    assert (run / "bundle").is_dir() and read_json(run / "refresh.json")["base"] == "base"


def test_passages_stand_in_the_order_of_the_collection_whichever_changed(base, tmp_path, capsys):
    texts = {"new": NEW, "a": TEXTS[0] + " 행과 열의 수를 정합니다.", "c": TEXTS[2], "b": TEXTS[1]}
    assert _refresh(base, _corpus(tmp_path / "now.jsonl", texts), capsys)[0] == 0
    run = base.parent / "latest"
    found = SparseIndex.open(run / "model", run / "passages.jsonl", run / "index")
    passages = list(read_records(run / "passages.jsonl", Passage))
    assert found.passage_ids == [row.id for row in passages] and found.passage_ids[-2:] == ["c#0", "b#0"]
    encoded = found.model.encode_documents([row.text for row in passages])
    np.testing.assert_allclose(found.weights.toarray(), encoded.toarray(), rtol=1e-5, atol=1e-6)


def test_query_weights_follow_the_idf_of_the_collection_as_it_is(base, tmp_path, capsys):
    texts = {"a": TEXTS[0], "b": TEXTS[0] + " 다시.", "c": TEXTS[0] + " 또다시."}
    _refresh(base, _corpus(tmp_path / "now.jsonl", texts), capsys)
    old, new = query_weights(base / "model"), query_weights(base.parent / "latest" / "model")
    assert new["셀"] < old["셀"]  # in every document now
    assert new["인쇄"] > old["인쇄"]  # in none any more


def test_additions_leave_the_rest_as_it_is(base, tmp_path, capsys):
    status, told = _refresh(base, _corpus(tmp_path / "more.jsonl", {"d": NEW}), capsys, "--add")
    assert status == 0 and (told["new"], told["removed"], told["unchanged"]) == (1, 0, 3)
    documents = read_records(base.parent / "latest" / "documents.jsonl", Document)
    assert [row.id for row in documents] == ["a", "b", "c", "d"]
    status, told = _refresh(base.parent / "latest", tmp_path / "more.jsonl", capsys, "--add")
    assert (told["new"], told["changed"]) == (0, 0)  # a refreshed run is refreshed like any other


def test_nothing_new_makes_no_run(base, tmp_path, capsys):
    assert main(["refresh", "--run", str(base), "--corpus", str(tmp_path / "old.jsonl")]) == 0
    assert "nothing has changed: 3 documents" in capsys.readouterr().out
    assert _beside(base) == {".refresh.lock"}


def test_boosts_that_have_faded_make_a_run_though_no_document_changed(base, tmp_path, capsys):
    same = tmp_path / "old.jsonl"
    written = {"as_of": (datetime.now() - timedelta(days=90)).date().isoformat(), "terms": {"셀": 1.2}}
    trends = base / "outputs/kosparse/detect-trends/trends"
    write_json(trends, written)
    endless = _refresh(base, same, capsys, "--set", "detect_trends.half_life_days=0")[1]
    assert endless["run"] == str(base)
    status, told = _refresh(base, same, capsys)
    assert status == 0 and (told["unchanged"], told["passages"], told["passages_encoded"]) == (3, 3, 0)
    # The documents have no dates, so no boost is left at all.
    before, after = query_weights(base / "model"), query_weights(base.parent / "latest" / "model")
    assert after["셀"] == pytest.approx(before["셀"] / 1.2) and after["인쇄"] == pytest.approx(before["인쇄"])
    assert _refresh(base.parent / "latest", same, capsys)[1]["run"] == str((base.parent / "latest").resolve())


def test_a_refresh_that_fails_leaves_nothing_behind(base, tmp_path, capsys):
    status, told = _refresh(base, tmp_path / "none.jsonl", capsys)
    assert status == 2 and "no such file" in told
    assert _beside(base) == {".refresh.lock"}


@pytest.mark.parametrize("place", ["_weigh", "link_outputs"])
def test_ctrl_c_leaves_nothing_behind(base, tmp_path, capsys, monkeypatch, place):
    monkeypatch.setattr(refresh, place, lambda *given, **more: signal.raise_signal(signal.SIGINT))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status, told = _refresh(base, _corpus(tmp_path / "now.jsonl", {"a": TEXTS[0]}), capsys)
    assert status == 130 and "interrupted" in told and _beside(base) == {".refresh.lock"}


def test_a_second_refresh_at_the_same_time_is_told_to_wait_and_takes_nothing_away(base, tmp_path, capsys, monkeypatch):
    def meanwhile(*given, **more):
        with pytest.raises(ResourceError, match="another refresh is under way") as caught:
            refresh.refresh(base, str(tmp_path / "old.jsonl"))
        assert "Wait for it" in caught.value.fix
        raise InputError("enough", where="here")

    monkeypatch.setattr(refresh, "_weigh", meanwhile)
    status, told = _refresh(base, _corpus(tmp_path / "now.jsonl", {"a": TEXTS[0]}), capsys)
    assert status == 2 and "enough" in told and _beside(base) == {".refresh.lock"}


def test_a_second_refresh_in_the_same_second_has_a_folder_of_its_own(base, tmp_path, capsys, store, monkeypatch):
    moment = refresh.datetime.now(UTC)
    monkeypatch.setattr(refresh.datetime, "now", lambda zone: moment)
    _refresh(base, _corpus(tmp_path / "1.jsonl", {"a": TEXTS[0], "d": NEW}), capsys)
    _refresh(base.parent / "latest", _corpus(tmp_path / "2.jsonl", {"d": NEW}), capsys)
    runs = {"20261123-000000-refresh", "20261123-000000-2-refresh"}
    assert _beside(base) == {".refresh.lock", "latest", *runs}
    assert (base.parent / "latest").resolve().name == "20261123-000000-2-refresh"


def _repeatedly(monkeypatch, rounds, then=lambda: None):
    """Let a refresh again and again be interrupted after so many rounds; the waits it made, in seconds.

    ``then`` is called in place of each wait.
    """
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == rounds:
            raise KeyboardInterrupt
        then()

    monkeypatch.setattr(refresh.time, "sleep", sleep)
    return waits


def test_a_service_that_fails_in_one_round_is_noted_and_the_next_goes_on(base, store, tmp_path, capsys, monkeypatch):
    """What could not be left in the store is left by the round after."""
    _keep(store, base)
    corpus = _corpus(tmp_path / "now.jsonl", dict(zip("abc", TEXTS, strict=False)))
    waits = _repeatedly(monkeypatch, 4, then=lambda: _corpus(corpus, {"a": TEXTS[0]}))
    real = refresh.leave_run
    rounds = []

    def leave(run, address):
        rounds.append(run.name)
        if len(rounds) == 1:
            raise ServiceError("the store is away", where="s3", fix="Start it.")
        return real(run, address)

    monkeypatch.setattr(refresh, "leave_run", leave)
    arguments = ["refresh", "--run", STORED, "--corpus", str(corpus), "--json", "--every", "2"]
    status = main([*arguments, "--set", "mine_synonyms.sources=[pattern]"])
    printed = capsys.readouterr()
    told = [json.loads(line) for line in printed.out.splitlines()]
    assert status == 130 and waits == [7200] * 4
    noted = (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    assert "this refresh failed, the next one is in 2 hours: the store is away" in noted
    assert [(row["removed"], row["unchanged"]) for row in told] == [(0, 3), (2, 1), (0, 1)]
    assert rounds == ["20261123-000001-refresh", "20261123-000002-refresh"]
    latest = store.objects[f"mlpipeline/{PREFIX}/refreshed/latest"].decode()
    assert latest == rounds[1] and told[1]["run"].endswith(latest)


def test_the_first_round_tells_a_missing_service_at_once(base, tmp_path, capsys, monkeypatch):
    waits = _repeatedly(monkeypatch, 1)

    def away(*given, **more):
        raise ServiceError("the language model is away", where="LLM_BASE_URL", fix="Start it.")

    monkeypatch.setattr(refresh, "_weigh", away)
    corpus = _corpus(tmp_path / "now.jsonl", {"a": TEXTS[0]})
    status, told = _refresh(base, corpus, capsys, "--every", "2")
    assert status == 3 and "the language model is away" in told and waits == []


def test_a_weight_that_training_moved_keeps_what_it_learned(tmp_path, encoder):
    import shutil

    model = tmp_path / "model"
    shutil.copytree(encoder, model)
    path = model / "query_0_MorphemeQuery" / "model.safetensors"
    names = read_json(path.parent / "units.json")
    weights = load_file(path)
    weights["weight"][:] = 3.0
    save_file(weights, path)
    before = Weighing(dict.fromkeys(names, 2.0), {})
    change = reweigh(model, before, Weighing(dict.fromkeys(names, 1.0), {names[0]: 1.5}))
    now = query_weights(model)
    assert now[names[0]] == pytest.approx(3.0 * 1.5 / 2) and now[names[1]] == pytest.approx(1.5)
    assert change == pytest.approx((0.25 + 0.5 * (len(names) - 1)) / len(names))


@pytest.fixture
def store(monkeypatch):
    """An object store, and a clock by which every refresh is a second later than the one before."""
    store, seconds = MemoryStore(), iter(range(60))

    class Clock:
        @staticmethod
        def now(zone):
            return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=next(seconds))

    monkeypatch.setattr(stored_run, "open_store", lambda: store)
    monkeypatch.setattr(refresh, "datetime", Clock)
    return store


def _keep(store, base, prefix=PREFIX, execution=(), tasks=tuple(stored_run.NEEDED)):
    """Lay the outputs of a run's tasks into the store, as KFP's launcher does."""
    index = base / "outputs/kosparse/evaluate/results/index"
    if not index.exists():
        SparseIndex.open(base / "model", base / "passages.jsonl", index)
    for task in tasks:
        root = base / "outputs/kosparse" / task
        for folder, _, names in os.walk(root, followlinks=True):
            for path in (Path(folder) / name for name in names):
                key = [prefix, task, *execution, path.relative_to(root).as_posix()]
                store.upload(path, "mlpipeline", "/".join(key))


@pytest.mark.parametrize("execution", [(), ("0b7c-41",)], ids=["older KFP, local mirror", "newer KFP"])
def test_a_run_in_the_object_store_is_refreshed_there_again_and_again(base, store, tmp_path, capsys, execution):
    _keep(store, base, execution=execution)
    before = set(store.objects)
    texts = dict(zip("abc", TEXTS, strict=False))
    pattern = ["--set", "mine_synonyms.sources=[pattern]"]
    status, told = _refresh(STORED, _corpus(tmp_path / "1.jsonl", {**texts, "d": NEW}), capsys, *pattern)
    assert status == 0 and (told["new"], told["passages_encoded"]) == (1, 1)
    assert told["run"] == f"{STORED}/refreshed/20261123-000000-refresh"
    made = {name.removeprefix(f"mlpipeline/{PREFIX}/refreshed/") for name in set(store.objects) - before}
    first = "20261123-000000-refresh"
    assert {"latest", f"{first}/refresh.json", f"{first}/ingest-corpus/passages"} <= made
    assert any(name.startswith(f"{first}/export-opensearch/bundle/") for name in made)

    # The next begins where this one ended, with its settings, and only what changed since is new.
    status, told = _refresh(STORED, _corpus(tmp_path / "2.jsonl", {"b": texts["b"], "d": NEW}), capsys)
    assert status == 0
    assert [told[name] for name in ("new", "changed", "removed", "passages_encoded")] == [0, 0, 2, 0]
    latest = store.objects[f"mlpipeline/{PREFIX}/refreshed/latest"].decode()
    about = json.loads(store.objects[f"mlpipeline/{PREFIX}/refreshed/{latest}/refresh.json"])
    assert (latest, about["base"], about["run"]) == ("20261123-000001-refresh", first, latest)

    # Nothing new leaves the store as it is.
    objects = dict(store.objects)
    status, told = _refresh(STORED, tmp_path / "2.jsonl", capsys)
    assert status == 0 and told["unchanged"] == 2 and told["run"] == STORED and store.objects == objects


def test_what_kubeflow_took_from_its_cache_is_looked_for_in_the_runs_named_after(base, store, tmp_path, capsys):
    cached = ("ingest-corpus", "compute-idf")
    _keep(store, base, tasks=[task for task in stored_run.NEEDED if task not in cached])
    _keep(store, base, "v2/artifacts/kosparse/earlier", tasks=cached)
    corpus = _corpus(tmp_path / "now.jsonl", {"a": TEXTS[0]})
    pattern = ["--set", "mine_synonyms.sources=[pattern]"]
    status, told = _refresh(STORED, corpus, capsys, *pattern)
    assert status == 2 and "the run lacks ingest-corpus/documents, ingest-corpus/passages, compute-idf/idf" in told
    assert "add its address" in told
    status, told = _refresh(f"{STORED} s3://mlpipeline/v2/artifacts/kosparse/earlier/", corpus, capsys, *pattern)
    assert status == 0 and told["removed"] == 2 and told["run"].startswith(f"{STORED}/refreshed/")


def test_keys_that_lead_out_of_the_folder_are_refused(base, store, tmp_path, capsys):
    _keep(store, base)
    store.objects[f"mlpipeline/{PREFIX}/train-sparse/model/../../../evil"] = b""
    status, told = _refresh(STORED, _corpus(tmp_path / "now.jsonl", {"a": TEXTS[0]}), capsys)
    assert status == 2 and "leads out of the folder" in told


@pytest.mark.parametrize("address", ["s3://", "s3://bucket", "s3:///kosparse", "s3://bucket/run my-folder"])
def test_what_is_no_address_of_a_run_is_told(address, store, tmp_path, capsys):
    status, told = _refresh(address, tmp_path / "now.jsonl", capsys)
    assert status == 2 and "not the address of a run" in told and "s3://bucket/prefix" in told
