"""The whole compiled graph under ``kfp.local``: what it leaves behind."""

import json
import math

import pytest

from kosparse.jsonl import read_records
from kosparse.records import Pair, Reject, SynonymEntry
from kosparse.steps import STEPS
from pipelines import outputs
from tests.pipelines.conftest import LLM_KEY

pytestmark = pytest.mark.services


def test_every_task_wrote_everything_the_package_promises(finished_run):
    folders = outputs.verify(finished_run.folder / "pipeline.yaml", finished_run.folder / "outputs")

    assert set(folders) == set(STEPS)


def test_summary_has_the_documented_keys_with_sensible_numbers(finished_run):
    summary = finished_run.summary

    assert summary["recipe"] == "smoke" and summary["corpus"]["documents"] == 40
    for system in ("bm25_kiwi", "dense", "sparse", "fusion"):
        row = summary["evaluation"][system]
        assert all(0 <= row[name] <= 1 for name in ("ndcg@10", "mrr@10", "recall@100"))
    assert summary["evaluation"]["bm25_kiwi"]["ndcg@10"] > 0.5  # the query's words stand in the page
    synthetic = summary["synthetic"]
    assert synthetic["generated"] == synthetic["kept"] + sum(synthetic["rejected"].values())
    assert synthetic["kept"] > 0
    assert summary["dictionary"]["after"] >= summary["dictionary"]["before"] > 0
    assert summary["model"]["active_dims_doc"] > 0
    # A term that one step has named need not be named again by the next.
    assert 0 <= summary["llm"]["cached"] < summary["llm"]["calls"] / 20
    assert summary["llm"]["quantization"]
    assert set(summary["seconds"]) == set(STEPS)
    assert (finished_run.folder / "report.html").is_file() and not (finished_run.folder / "report.html").is_symlink()


def test_kept_pairs_carry_their_scores_and_where_they_come_from(finished_run):
    pairs = list(read_records(finished_run.output("filter_pairs", "kept"), Pair))

    assert pairs
    written = [pair for pair in pairs if pair.origin == "document_to_query"]
    assert all(pair.provenance and pair.provenance.prompt.startswith("generate_queries@") for pair in written)
    assert all("round_trip_rank" in pair.scores for pair in pairs)


def test_every_reject_has_a_stage_and_a_reason(finished_run):
    rejects = list(read_records(finished_run.output("filter_pairs", "rejects"), Reject))

    assert all(reject.stage and reject.reason for reject in rejects)


def test_dictionary_probabilities_are_probabilities(finished_run):
    entries = list(read_records(finished_run.output("enhance_dictionary", "dictionary"), SynonymEntry))

    assert entries and all(0 <= entry.p <= 1 for entry in entries)
    assert len({(entry.ko, entry.en) for entry in entries}) == len(entries)


def test_plain_sentence_transformers_loads_the_model(finished_run):
    from sentence_transformers import SparseEncoder

    model = SparseEncoder(str(finished_run.folder / "model"), device="cpu", trust_remote_code=True)

    query = model.encode_query(["스프레드시트 셀 보호"])
    document = model.encode_document(["스프레드시트에서 셀을 잠그면 내용을 바꿀 수 없습니다."])
    score = float(model.similarity(query, document)[0][0])
    assert score > 0 and math.isfinite(score)


def test_our_encoder_and_plain_sentence_transformers_agree(finished_run):
    from sentence_transformers import SparseEncoder

    from kosparse.sparse.model import load_sparse_model

    texts = ["스프레드시트에서 셀을 잠급니다.", "표를 넣습니다."]
    ours = load_sparse_model(finished_run.folder / "model").encode_documents(texts).toarray()
    plain = SparseEncoder(str(finished_run.folder / "model"), device="cpu", trust_remote_code=True)
    theirs = plain.encode_document(texts).to_dense().numpy()

    assert ours == pytest.approx(theirs, abs=1e-4)


def test_outputs_are_mirrored_and_the_model_is_registered(finished_run, services):
    import mlflow

    from kosparse.adapters.store_s3 import open_store

    keys = open_store().list("mlpipeline", f"v2/artifacts/kosparse/{finished_run.folder.name}/")
    assert any(key.endswith("filter-pairs/kept") for key in keys)
    assert any("/train-sparse/model/" in key for key in keys)

    client = mlflow.MlflowClient(services["MLFLOW_TRACKING_URI"])
    version = client.get_model_version_by_alias("kosparse", "challenger")
    assert version.version == str(finished_run.summary["registry"]["version"])
    assert version.tags["validation_status"] == "pending"
    runs = client.search_runs(
        [experiment.experiment_id for experiment in client.search_experiments()],
        f"tags.`kosparse.run_id` = '{finished_run.folder.name}'",
    )
    names = {run.info.run_name for run in runs}
    assert {"train_sparse", "evaluate"} <= names
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_the_run_is_refreshed_where_it_was_mirrored(finished_run, services, tiny, tmp_path, capsys):
    from kosparse.adapters.store_s3 import open_store
    from kosparse.cli import main

    *kept, last = (tiny / "corpus" / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    new = {**json.loads(last), "_id": "new", "text": "새로 온 쪽입니다. 시트(sheet)를 더하고 이름을 정합니다."}
    corpus = tmp_path / "now.jsonl"
    corpus.write_text("\n".join([*kept, json.dumps(new, ensure_ascii=False)]), encoding="utf-8")
    prefix = f"v2/artifacts/kosparse/{finished_run.folder.name}"
    given = ["--run", f"s3://mlpipeline/{prefix}", "--config", str(finished_run.folder / "arguments.json"), "--json"]

    assert main(["refresh", "--corpus", str(corpus), *given]) == 0

    told = json.loads(capsys.readouterr().out)
    assert [told[name] for name in ("new", "changed", "removed", "unchanged")] == [1, 0, 1, 39]
    assert told["passages_encoded"] == 1
    keys = open_store().list("mlpipeline", f"{prefix}/refreshed/")
    left = told["run"].removeprefix("s3://mlpipeline/")
    assert f"{prefix}/refreshed/latest" in keys and f"{left}/export-opensearch/bundle/manifest.json" in keys


def test_lineage_names_corpus_prompts_and_language_model(finished_run):
    registration = json.loads(finished_run.output("register_model", "registration").read_text(encoding="utf-8"))
    results = json.loads((finished_run.folder / "results" / "results.json").read_text(encoding="utf-8"))

    assert registration["name"] == "kosparse" and registration["alias"] == "challenger"
    assert results["judgements"] == "real"


def test_credentials_are_in_no_file_of_the_run(finished_run):
    services = finished_run.home / "services"
    own = json.loads((services / "s3" / "s3.config.json").read_text(encoding="utf-8"))
    secrets = {LLM_KEY, *(key["secretKey"] for user in own["identities"] for key in user["credentials"])}

    # What the services keep for themselves aside: that is where credentials belong.
    files = [path for path in finished_run.home.rglob("*") if path.is_file() and not path.is_symlink()]
    searched = [path for path in files if path.name not in ("s3.config.json", "s3.state.json", "mlflow.state.json")]
    assert any(path.name == "mlflow.db" for path in searched) and any(path.suffix == ".log" for path in searched)
    for path in searched:
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content], path


@pytest.mark.slow  # the parts of it are in make test: test_launcher.py
def test_a_second_run_asks_the_language_model_nothing(finished_run, tiny, settings_of_run, llm_server):
    from pipelines.run_local import run_pipeline

    asked = llm_server.completions
    corpus = tiny / "corpus"
    folder = run_pipeline(
        recipe="smoke",
        corpus=str(corpus),
        queries=str(corpus / "queries.jsonl"),
        qrels=str(corpus / "qrels.tsv"),
        overrides=settings_of_run,
        home=finished_run.home,
    )
    again = json.loads((folder / "summary.json").read_text(encoding="utf-8"))

    assert llm_server.completions - asked <= 1  # serve_llm's own readiness check
    assert again["llm"]["calls"] == again["llm"]["cached"] > 0
    assert again["evaluation"] == finished_run.summary["evaluation"]
