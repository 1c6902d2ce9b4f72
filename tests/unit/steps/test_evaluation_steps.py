"""evaluate, report, register_model and export_opensearch, one after the other on a tiny finished run."""

import json
import shutil

import pytest

from kosparse.errors import ConfigError, InputError
from kosparse.evaluation.ranking import read_trec
from kosparse.evaluation.results import read_results
from kosparse.export.opensearch import verify_bundle
from kosparse.jsonl import read_json, write_json, write_lines, write_records
from kosparse.records import AlignedText, Query
from kosparse.steps import evaluate, export_opensearch, register_model, report
from tests.fakes.tiny_sparse_encoder import write_tiny_sparse_encoder
from tests.unit.evaluation.world import QUERIES, FakeEmbedder, write_world

SYSTEMS = ["bm25_kiwi", "dense", "sparse", "fusion", "dense_bm25", "sparse_dense"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_sparse_encoder(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", FakeEmbedder)
    for name in ("MLFLOW_TRACKING_URI", "KOSPARSE_RUN_ID", "MLFLOW_RUN_ID", "S3_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def _evaluate(model, paths, folder, **config):
    inputs = {
        name: paths[name] for name in ("passages", "documents", "evaluation", "training_set", "parallel", "champion")
    }
    return evaluate.run(config={"permutations": 100, **config}, model=model, results=folder / "results", **inputs)


def _report(paths, folder):
    inputs = {name: paths[name] for name in report.run.inputs if name != "results"}
    outputs = {name: folder / name for name in report.run.outputs}
    return report.run(results=folder / "results", **inputs, **outputs)


def test_every_system_is_measured_on_the_real_queries(model, tmp_path):
    metrics = _evaluate(model, write_world(tmp_path), tmp_path)
    found = read_results(tmp_path / "results")
    assert found.judgements == "real" and found.queries == 3
    assert list(found.systems) == SYSTEMS
    assert metrics["bm25_kiwi.ndcg@10"] == pytest.approx(1.0)  # the query's words stand in one document each
    assert metrics["sparse.ndcg@10"] == found.systems["sparse"].metrics["ndcg@10"]
    assert metrics["active_dims_doc"] > 0
    assert [row.system for row in found.comparisons] == SYSTEMS[1:]
    assert {row.by: sum(other.queries for other in found.slices if other.by == row.by) for row in found.slices} == {
        "script": 3,
        "shape": 3,
        "length": 3,
        "overlap": 3,
    }
    assert found.pruning[0].metric == found.systems["sparse"].metrics["ndcg@10"]
    for system in SYSTEMS:
        assert set(read_trec(tmp_path / "results" / "runs" / f"{system}.trec")) <= set(QUERIES)
    rows = [json.loads(line) for line in open(tmp_path / "results" / "per_query.jsonl", encoding="utf-8")]
    assert [row["query_id"] for row in rows] == list(QUERIES)


def _make_champion(paths, results, change):
    """What was measured becomes the champion's, with the sparse model's values changed."""
    shutil.copy(results / "results.json", paths["champion"])
    rows = [json.loads(line) for line in open(results / "per_query.jsonl", encoding="utf-8")]
    for row in rows:
        row["systems"]["sparse"] = {name: change(value) for name, value in row["systems"]["sparse"].items()}
    write_lines(paths["champion"] / "per_query.jsonl", map(json.dumps, rows))
    write_json(paths["champion"] / "champion.json", {"name": "kosparse", "version": "4"})


def test_the_report_shows_what_changed_against_the_champion_query_by_query(model, tmp_path):
    paths = write_world(tmp_path)
    _evaluate(model, paths, tmp_path)
    assert read_results(tmp_path / "results").champion is None
    _make_champion(paths, tmp_path / "results", lambda value: value / 2)
    shutil.rmtree(tmp_path / "results")

    ours = _evaluate(model, paths, tmp_path)["sparse.ndcg@10"]
    _report(paths, tmp_path)

    found = read_results(tmp_path / "results").champion
    assert (found.version, found.queries) == ("4", 3)
    assert found.means["ndcg@10"] == pytest.approx((ours / 2, ours), abs=1e-4)  # kept with 4 digits
    assert found.difference.difference == pytest.approx(ours / 2, abs=1e-4)
    gained = read_json(tmp_path / "results" / "examples.json")["gained"]
    assert len(gained) == found.difference.better > 0
    assert gained[0]["champion"] == pytest.approx(gained[0]["ndcg@10"]["sparse"] / 2, abs=1e-4)
    page = (tmp_path / "html").read_text(encoding="utf-8")
    assert 'id="champion"' in page and "against the champion, version 4" in page
    assert "Against the champion (version 4) on 3 shared queries" in page


def test_a_champion_of_other_judgements_is_not_compared(model, tmp_path):
    paths = write_world(tmp_path)
    _evaluate(model, paths, tmp_path)
    _make_champion(paths, tmp_path / "results", float)
    rows = (paths["champion"] / "per_query.jsonl").read_text(encoding="utf-8").replace('": 1}', '": 2}')
    write_lines(paths["champion"] / "per_query.jsonl", rows.splitlines())
    shutil.rmtree(tmp_path / "results")
    _evaluate(model, paths, tmp_path)
    _report(paths, tmp_path)
    found = read_results(tmp_path / "results").champion
    assert found.queries == 0 and found.difference is None
    assert "No query was measured on both" in (tmp_path / "html").read_text(encoding="utf-8")


def test_english_headings_are_asked_of_the_korean_pages(model, tmp_path):
    paths = write_world(tmp_path)
    rows = [AlignedText(ko="셀 보호", en="셀 protection", source="heading", key="calc/protect")]
    write_records(paths["parallel"], rows)
    _evaluate(model, paths, tmp_path)
    _report(paths, tmp_path)
    asked = next(row for row in read_results(tmp_path / "results").slices if row.by == "language")
    assert asked.queries == 1 and set(asked.systems) == {"bm25_kiwi", "dense", "sparse"}
    assert asked.systems["bm25_kiwi"] == pytest.approx(1.0)  # 셀 stands in one document
    assert "English, of Korean pages" in (tmp_path / "html").read_text(encoding="utf-8")


def test_a_training_query_equal_but_for_spaces_and_signs_is_contamination(model, tmp_path):
    _evaluate(model, write_world(tmp_path), tmp_path)
    shared = read_results(tmp_path / "results").contamination
    assert (shared.training_queries, shared.training_queries_shared, shared.evaluated_queries_shared) == (2, 1, 1)
    assert shared.examples == ["셀 보호"]


def test_without_real_queries_held_out_synthetic_ones_are_used_and_said_so(model, tmp_path):
    paths = write_world(tmp_path, real=False)
    _evaluate(model, paths, tmp_path)
    _report(paths, tmp_path)
    found = read_results(tmp_path / "results")
    assert (found.judgements, found.split, found.queries) == ("held-out synthetic", "validation", 2)
    assert read_json(tmp_path / "summary")["evaluation"]["judgements"] == "held-out synthetic"
    assert "held-out synthetic" in (tmp_path / "html").read_text(encoding="utf-8")
    assert "held-out synthetic" in (tmp_path / "markdown").read_text(encoding="utf-8")


def test_a_query_for_which_nothing_is_found_is_counted_and_measured_as_zero(model, tmp_path):
    paths = write_world(tmp_path)
    asked = [Query(id=name, text="zzz" if name == "q3" else text) for name, (text, _) in QUERIES.items()]
    write_records(paths["evaluation"] / "queries.jsonl", asked)
    _evaluate(model, paths, tmp_path)
    found = read_results(tmp_path / "results").systems
    assert [found[name].empty_rankings for name in ("bm25_kiwi", "dense", "dense_bm25")] == [1, 0, 0]
    assert found["bm25_kiwi"].metrics["ndcg@10"] == pytest.approx(2 / 3)  # the others' one document comes first
    _report(paths, tmp_path)
    assert "1 queries without results" in (tmp_path / "html").read_text(encoding="utf-8")


def test_judgements_of_unknown_documents_are_counted(model, tmp_path):
    paths = write_world(tmp_path)
    with open(paths["evaluation"] / "qrels" / "test.tsv", "a", encoding="utf-8") as file:
        file.write("q1\tno/such\t1\nno such\tcalc/print\t1\n")
    _evaluate(model, paths, tmp_path)
    assert read_results(tmp_path / "results").left_out == {"unknown document": 1, "unknown query": 1}


def test_judgements_that_name_nothing_known_stop_the_step(model, tmp_path):
    paths = write_world(tmp_path)
    (paths["evaluation"] / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tother\t1\n")
    with pytest.raises(InputError, match="unknown document 1"):
        _evaluate(model, paths, tmp_path)


def test_rankings_already_made_are_kept_when_the_model_cannot_be_loaded(tmp_path):
    (tmp_path / "broken").mkdir()
    with pytest.raises(InputError):
        _evaluate(tmp_path / "broken", write_world(tmp_path), tmp_path)
    assert set(read_trec(tmp_path / "results" / "runs" / "bm25_kiwi.trec")) == set(QUERIES)


def test_the_same_inputs_give_the_same_results(model, tmp_path):
    paths = write_world(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (_evaluate(model, paths, tmp_path / name) for name in "ab")
    assert first == second
    assert (tmp_path / "a/results/per_query.jsonl").read_bytes() == (
        tmp_path / "b/results/per_query.jsonl"
    ).read_bytes()


def test_the_report_escapes_text_and_needs_nothing_from_outside(model, tmp_path):
    paths = write_world(tmp_path)
    rise = {"term": "언어 <b>모델", "recent": 20, "earlier": 3}
    write_json(paths["trends"], {"note": "", "terms": {"모델": 1.4}, "unmatched": {}, "evidence": [rise]})
    _evaluate(model, paths, tmp_path)
    _report(paths, tmp_path)
    page = (tmp_path / "html").read_text(encoding="utf-8")
    assert "언어 &lt;b&gt;모델 <small>20 / 3</small>" in page and "모델 <small>×1.40</small>" in page
    assert "<script>" not in page and "&lt;script&gt;alert" in page
    assert "<b>잠그는</b>" not in page and "&lt;b&gt;잠그는" in page
    assert "http://" not in page and "https://" not in page and "src=" not in page
    assert page.index('id="verdict"') < page.index('id="results"')


def test_the_report_tells_what_each_step_took_longest_first_and_the_sum(model, tmp_path, monkeypatch):
    paths = write_world(tmp_path)
    _evaluate(model, paths, tmp_path)
    took = {"ingest_corpus": {"seconds": 1.5}, "generate_queries": {"seconds": 460.0, "llm_calls": 60.0}}
    monkeypatch.setattr("kosparse.steps.report.tracked", lambda run_id: took)
    _report(paths, tmp_path)
    page = (tmp_path / "html").read_text(encoding="utf-8")
    cost = page[page.index('id="cost"') : page.index('id="lineage"')]
    assert cost.index("generate_queries") < cost.index("ingest_corpus") < cost.index("461.5")
    assert "462 seconds up to this report" in (tmp_path / "markdown").read_text(encoding="utf-8")


def test_a_tracking_server_that_does_not_answer_costs_the_table_alone(model, tmp_path, monkeypatch):
    paths = write_world(tmp_path)
    _evaluate(model, paths, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    _report(paths, tmp_path)
    assert 'id="cost"' not in (tmp_path / "html").read_text(encoding="utf-8")


def test_the_summary_has_the_documented_keys(model, tmp_path):
    paths = write_world(tmp_path)
    _evaluate(model, paths, tmp_path)
    _report(paths, tmp_path)
    summary = read_json(tmp_path / "summary")
    assert summary["recipe"] == "smoke"
    assert summary["corpus"]["documents"] == 4
    assert summary["synthetic"] == {"generated": 3, "kept": 1, "rejected": {"bad_json": 1, "too_short": 1}}
    assert summary["dictionary"] == {"before": 3, "after": 7}
    for system in SYSTEMS:
        assert {"ndcg@10", "mrr@10", "recall@100"} <= set(summary["evaluation"][system])
    assert summary["model"]["active_dims_doc"] > 0
    assert summary["llm"] == {"model": "qwen", "revision": "r1", "quantization": "bf16"}
    assert summary["prompts"] == ["generate_queries@1:abc"]


def test_without_a_tracking_server_nothing_is_registered_and_it_says_so(model, tmp_path):
    paths = write_world(tmp_path)
    _evaluate(model, paths, tmp_path)
    _report(paths, tmp_path)
    inputs = {name: tmp_path / name for name in ("results", "html", "summary")}
    metrics = register_model.run(
        model=model, dictionary=paths["dictionary"], registration=tmp_path / "registration", **inputs
    )
    registration = read_json(tmp_path / "registration")
    assert metrics == {"registered": 0.0}
    assert (registration["name"], registration["version"], registration["alias"]) == ("kosparse", "", "")
    assert registration["tags"]["validation_status"] == "pending"
    assert registration["tags"]["kosparse.corpus_sha256"] == "c0ffee"
    assert registration["tags"]["kosparse.prompts"] == "generate_queries@1:abc"


def test_the_bundles_model_is_the_trained_one_and_its_manifest_holds(model, tmp_path):
    from sentence_transformers import SparseEncoder

    paths = write_world(tmp_path)
    metrics = export_opensearch.run(
        model=model, idf=paths["idf"], synonyms=paths["synonyms"], bundle=tmp_path / "bundle"
    )
    assert verify_bundle(tmp_path / "bundle") == [] and metrics["files"] > 10
    assert {path.name for path in (tmp_path / "bundle" / "ml_commons").iterdir()} == {
        f"{stem}.{kind}" for stem in ("sparse_encoder", "query_tokenizer") for kind in ("zip", "json")
    }
    plain = SparseEncoder(str(tmp_path / "bundle" / "sparse_encoder"), device="cpu")
    idf = read_json(tmp_path / "bundle" / "idf.json")
    decoded = dict(plain.decode(plain.encode_query(["셀 보호"]))[0])
    assert {token: idf[token] for token in decoded} == pytest.approx(decoded)


def test_a_destination_that_is_no_bucket_is_refused_before_anything_is_written(model, tmp_path):
    paths = write_world(tmp_path)
    with pytest.raises(ConfigError, match="not a place"):
        export_opensearch.run(
            config={"destination": "/some/folder"},
            model=model,
            idf=paths["idf"],
            synonyms=paths["synonyms"],
            bundle=tmp_path / "bundle",
        )
    assert not (tmp_path / "bundle").exists()
