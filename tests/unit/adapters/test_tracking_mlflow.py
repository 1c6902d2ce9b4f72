"""Runs and the registry against a real MLflow server."""

import json
import socket
import time
from pathlib import Path

import pytest

from kosparse.adapters.registry_mlflow import _PICKLES, MODEL_TAG, MlflowRegistry
from kosparse.adapters.tracking_mlflow import RUN_TAG, MlflowTracker
from kosparse.errors import InputError, ServiceError
from kosparse.ports import CurvePoint, DatasetLink
from tests.fakes.tiny_sparse_encoder import write_tiny_morpheme_encoder, write_tiny_sparse_encoder

pytestmark = pytest.mark.services

CORPUS = DatasetLink("corpus", "c" * 64, "training", {"documents": 4})
JUDGED = DatasetLink("evaluation (real, test)", "e" * 64, "evaluation", {"queries": 3})
TAGS = {MODEL_TAG: "abc", "validation_status": "pending"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_sparse_encoder(tmp_path_factory.mktemp("model"))


@pytest.fixture
def server(mlflow_server, monkeypatch):
    """The server; nothing of it in this process's environment."""
    for name in ("MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return mlflow_server


@pytest.fixture
def tracker(server):
    return MlflowTracker(server)


@pytest.fixture
def client(server):
    import mlflow

    return mlflow.MlflowClient(tracking_uri=server, registry_uri=server)


def _register(server, model, run_id, report, **changes):
    arguments = {
        "metrics": {"sparse.ndcg@10": 0.6, "undefined": float("nan")},
        "tags": TAGS,
        "artifacts": [report],
        "alias": "challenger",
        "datasets": [CORPUS, JUDGED],
    }
    return MlflowRegistry(server).register(run_id, "kosparse", model, **{**arguments, **changes})


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("<h1>ok</h1>")
    return path


def test_a_run_is_opened_once_and_found_again_by_its_tag(tracker, client):
    first = tracker.start_run("r-open", "small r-open", {"recipe": "small"})
    assert tracker.start_run("r-open", "another name", {"recipe": "small"}) == first
    run = client.get_run(first)
    assert run.info.run_name == "small r-open"
    assert run.data.tags[RUN_TAG] == "r-open" and run.data.params == {"recipe": "small"}


def test_a_step_is_a_nested_run_and_its_metrics_stand_on_the_parent_too(tracker, client):
    parent = tracker.start_run("r-step", "r-step", {})
    tracker.log_step("r-step", "evaluate", {"depth": 100}, {"sparse.ndcg@10": 0.5, "bad": float("nan")}, 1.5)
    runs = client.search_runs([client.get_run(parent).info.experiment_id], f"tags.`{RUN_TAG}` = 'r-step'")
    (nested,) = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent]
    assert nested.info.run_name == "evaluate" and nested.info.status == "FINISHED"
    assert nested.data.metrics == {"sparse.ndcg_at_10": 0.5, "seconds": 1.5}
    assert nested.data.params == {"depth": "100"}
    assert client.get_run(parent).data.metrics == {"evaluate.sparse.ndcg_at_10": 0.5}


def test_steps_are_told_with_what_they_took_and_the_last_of_a_repeated_one_counts(tracker):
    tracker.log_step("r-steps", "ingest_corpus", {}, {"documents": 3}, 0.5)
    tracker.log_step("r-steps", "evaluate", {}, {"ndcg@10": 0.4}, 2.0)
    tracker.log_step("r-steps", "ingest_corpus", {}, {"documents": 4}, 0.7)
    assert tracker.steps("r-steps") == {
        "ingest_corpus": {"documents": 4.0, "seconds": 0.7},
        "evaluate": {"ndcg_at_10": 0.4, "seconds": 2.0},
    }
    assert tracker.steps("r-nobody") == {}


def _nested(client, parent):
    experiment = client.get_run(parent).info.experiment_id
    return client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")


def test_points_are_curves_in_the_run_that_the_step_ends(tracker, server, client):
    parent = tracker.start_run("r-curves", "r-curves", {})
    tracker.log_points("r-curves", "train_sparse", [CurvePoint(1, 10.0, {"loss": 0.5, "bad": float("inf")})])
    (nested,) = _nested(client, parent)
    assert nested.info.run_name == "train_sparse" and nested.info.status == "RUNNING"

    again = MlflowTracker(server)  # the step was killed, and another process goes on
    again.log_points("r-curves", "train_sparse", [CurvePoint(2, 11.5, {"loss": 0.4}), CurvePoint(3, 12.0, {})])
    again.log_step("r-curves", "train_sparse", {"max_steps": 3}, {"steps": 3.0}, 2.0)

    (nested,) = _nested(client, parent)
    assert nested.info.status == "FINISHED" and nested.data.params == {"max_steps": "3"}
    assert nested.data.metrics == {"loss": 0.4, "steps": 3.0, "seconds": 2.0}
    curve = client.get_metric_history(nested.info.run_id, "loss")
    assert [(point.step, point.timestamp, point.value) for point in curve] == [(1, 10000, 0.5), (2, 11500, 0.4)]


def test_more_points_than_a_call_may_carry_are_all_kept(tracker, client):
    tracker.log_points("r-long", "train_sparse", [CurvePoint(n, n, {"loss": n, "kl": n}) for n in range(501)])
    (nested,) = _nested(client, tracker.start_run("r-long", "x", {}))
    assert len(client.get_metric_history(nested.info.run_id, "kl")) == 501


def test_a_step_that_failed_is_marked_and_the_next_attempt_has_a_run_of_its_own(tracker, server, client):
    tracker.fail_step("r-fail", "train_sparse")  # nothing was drawn yet
    tracker.log_points("r-fail", "train_sparse", [CurvePoint(1, 1.0, {"loss": 1.0})])
    tracker.fail_step("r-fail", "train_sparse")
    MlflowTracker(server).log_points("r-fail", "train_sparse", [CurvePoint(1, 2.0, {"loss": 1.0})])

    states = [run.info.status for run in _nested(client, tracker.start_run("r-fail", "x", {}))]
    assert sorted(states) == ["FAILED", "RUNNING"]


def test_a_step_before_any_parent_opens_one(tracker, client):
    tracker.log_step("r-early", "ingest_corpus", {}, {"documents": 3}, 0.1)
    assert client.get_run(tracker.start_run("r-early", "x", {})).data.metrics == {"ingest_corpus.documents": 3}


def test_a_given_run_is_adopted(tracker, client, monkeypatch):
    experiment = client.create_experiment("elsewhere")
    given = client.create_run(experiment).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    assert tracker.start_run("r-adopt", "x", {"seed": 1}) == given
    tracker.log_step("r-adopt", "report", {}, {}, 0.1)
    assert len(client.search_runs([experiment])) == 2
    assert client.get_run(given).data.tags[RUN_TAG] == "r-adopt"


def test_a_model_is_registered_once_per_run_with_lineage_report_and_alias(server, client, model, report):
    version = _register(server, model, "r-model", report)
    assert (version.name, version.alias) == ("kosparse", "challenger")
    assert _register(server, model, "r-model", report) == version
    registered = client.get_model_version_by_alias("kosparse", "challenger")
    assert str(registered.version) == version.version
    assert registered.tags["validation_status"] == "pending" and registered.tags[RUN_TAG] == "r-model"
    parent = client.get_run(registered.run_id)
    assert parent.data.metrics["sparse.ndcg_at_10"] == 0.6 and "undefined" not in parent.data.metrics
    assert parent.info.status == "RUNNING"  # the pipeline goes on after registration
    assert [each.path for each in client.list_artifacts(parent.info.run_id, "report")] == ["report/report.html"]


def test_a_version_is_linked_to_the_corpus_and_to_what_it_was_measured_on(server, client, model, report):
    import mlflow

    version = _register(server, model, "r-linked", report)
    run = client.get_run(client.get_model_version("kosparse", version.version).run_id)

    linked = {each.dataset.name: each for each in run.inputs.dataset_inputs}
    assert set(linked) == {CORPUS.name, JUDGED.name}
    for link in (CORPUS, JUDGED):
        found = linked[link.name]
        assert {tag.key: tag.value for tag in found.tags} == {"mlflow.data.context": link.role}
        assert json.loads(found.dataset.profile) == link.counts and link.sha256.startswith(found.dataset.digest)
        assert mlflow.data.get_source(found.dataset).to_dict()["tags"] == {"kosparse.sha256": link.sha256}
    (logged,) = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    (measured,) = logged.metrics
    assert (measured.key, measured.dataset_name) == ("sparse.ndcg_at_10", JUDGED.name)


def test_what_is_logged_has_an_input_example_and_no_pickle(server, model, report, tmp_path):
    import mlflow

    version = _register(server, model, "r-files", report)
    mlflow.set_tracking_uri(server)
    mlflow.set_registry_uri(server)
    address = f"models:/kosparse/{version.version}"
    folder = Path(mlflow.artifacts.download_artifacts(address, dst_path=str(tmp_path / "got")))

    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".safetensors" for path in files) and (folder / "pyfunc_model.py").is_file()
    pickled = [path.name for path in files if path.suffix in _PICKLES or path.read_bytes()[:1] == b"\x80"]
    assert not pickled, "loading a pickle runs code"
    found = mlflow.models.Model.load(str(folder))
    assert found.signature is not None and found.signature.inputs.input_names() == ["text"]
    assert found.load_input_example(str(folder)).to_dict("list") == {"text": ["셀 보호를 설정합니다."]}
    assert found.load_input_example_params(str(folder)) == {"kind": "query"}


def test_another_run_or_another_model_is_another_version(server, model, report):
    first = _register(server, model, "r-one", report)
    other_run = _register(server, model, "r-two", report)
    other_model = _register(server, model, "r-one", report, tags={**TAGS, MODEL_TAG: "def"})
    assert len({first.version, other_run.version, other_model.version}) == 3


def test_the_registered_model_encodes_as_sentence_transformers_does(server, model, report):
    import mlflow
    import pandas as pd
    from sentence_transformers import SparseEncoder

    version = _register(server, model, "r-encode", report)
    mlflow.set_tracking_uri(server)
    mlflow.set_registry_uri(server)
    loaded = mlflow.pyfunc.load_model(f"models:/kosparse/{version.version}")
    assert loaded.metadata.signature.inputs.input_names() == ["text"]
    plain = SparseEncoder(str(model), device="cpu")
    text = "셀 보호를 설정합니다."
    for kind, encode in (("document", plain.encode_document), ("query", plain.encode_query)):
        frame = loaded.predict(pd.DataFrame({"text": [text]}), params={"kind": kind})
        assert frame["weights"][0] == pytest.approx(dict(plain.decode(encode([text]))[0]), abs=1e-4)
    with pytest.raises(ValueError, match="kind"):
        loaded.predict(pd.DataFrame({"text": [text]}), params={"kind": "passage"})


def test_pickled_weights_are_refused(server, tmp_path, report):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"pytorch_model\.bin"):
        _register(server, tmp_path / "model", "r-pickle", report)


def test_a_name_that_somebody_elses_models_have_is_left_to_them(server, client, model, report):
    client.create_registered_model("theirs")
    client.create_model_version("theirs", "s3://elsewhere/model")
    with pytest.raises(InputError, match="the name theirs is taken: it has 1 versions") as caught:
        MlflowRegistry(server).register(
            "r-theirs", "theirs", model, metrics={}, tags=TAGS, artifacts=[report], alias="challenger"
        )
    assert "register_model.name" in caught.value.fix
    assert len(client.search_model_versions("name='theirs'")) == 1


def test_the_folder_of_a_registered_model_comes_back_as_it_was(server, model, report, tmp_path):
    from kosparse.export.hashing import folder_hash

    version = _register(server, model, "r-fetch", report)
    fetched = MlflowRegistry(server).fetch("models:/kosparse@challenger", tmp_path)
    assert folder_hash(fetched) == folder_hash(model)
    requirements = MlflowRegistry(server).requirements(f"models:/kosparse/{version.version}").split()
    assert any(line.startswith("sentence-transformers==") for line in requirements)


@pytest.mark.parametrize("address", ["models:/kosparse/999", "models:/kosparse@nobody", "models:/never/1"])
def test_a_version_that_is_not_there_is_told(server, model, report, tmp_path, address):
    _register(server, model, "r-there", report)
    with pytest.raises(InputError, match="the registry has no such model") as caught:
        MlflowRegistry(server).fetch(address, tmp_path)
    assert caught.value.where == address


def test_closing_a_run_says_how_it_ended(tracker, client):
    parent = tracker.start_run("r-end", "r-end", {})
    tracker.log_points("r-end", "train_sparse", [CurvePoint(1, 1.0, {"loss": 1.0})])
    tracker.end_run("r-end", failed=True)
    assert client.get_run(parent).info.status == "FAILED"
    assert [run.info.status for run in _nested(client, parent)] == ["KILLED"]
    tracker.end_run("never started")


def test_nobody_listening_is_said_at_once_without_the_password():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"http://user:secret@127.0.0.1:{held.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(ServiceError, match="does not answer") as caught:
            MlflowTracker(address)
    assert time.monotonic() - started < 10
    assert "secret" not in caught.value.message and "127.0.0.1" in caught.value.where


@pytest.mark.parametrize("address", ["http://", "htp://127.0.0.1:5000", "mlflow.kubeflow:5000", "http://exa mple"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ServiceError):
        MlflowTracker(address).start_run("r", "r", {})


def test_a_refusal_is_told_with_its_reason(tracker, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    with pytest.raises(ServiceError, match="RESOURCE_DOES_NOT_EXIST"):
        tracker.start_run("r-unknown", "x", {})


def test_more_params_than_a_call_may_carry_are_all_kept(tracker, client):
    run = tracker.start_run("r-many", "x", {f"key{number}": number for number in range(250)})
    assert len(client.get_run(run).data.params) == 250


def test_a_model_over_morphemes_brings_the_package_along(server, client, report, tmp_path):
    import mlflow
    import pandas as pd

    version = _register(server, write_tiny_morpheme_encoder(tmp_path), "r-morphemes", report)
    mlflow.set_tracking_uri(server)
    mlflow.set_registry_uri(server)
    folder = mlflow.artifacts.download_artifacts(f"models:/kosparse/{version.version}", dst_path=str(tmp_path / "got"))
    frame = mlflow.pyfunc.load_model(folder).predict(pd.DataFrame({"text": ["셀 보호"]}), params={"kind": "query"})

    assert frame["weights"][0] == {"셀": 1.0, "보호": 1.0}
    code = tmp_path / "got" / "code"
    assert (code / "kosparse" / "sparse" / "morpheme_modules.py").is_file()
    assert not (code / "kosparse" / "synonyms").exists(), "what encoding does not need stays here"
    assert any(line.startswith("kiwipiepy==") for line in (tmp_path / "got" / "requirements.txt").read_text().split())
