"""The real KFP client against a server that reads its requests with the generated models."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines import cluster, recipes, submit
from pipelines.compile import compile_pipeline, compile_refresh
from pipelines.deployment import SECRETS
from tests.fakes.kfp_server import FakeKfpServer

GOLDEN = Path(submit.__file__).with_name("kosparse.yaml")
REFRESH = GOLDEN.with_name("refresh.yaml")
FINISHED = "s3://mlpipeline/v2/artifacts/kosparse/7f3a"
CORPUS = "s3://corpora/help"


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """The committed package instead of compiling it again, no identity, no waiting."""
    for name in ("KFP_TOKEN", "KFP_COOKIE", "KF_PIPELINES_SA_TOKEN_PATH", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(submit, "compile_pipeline", lambda path: Path(shutil.copy(GOLDEN, path)))
    monkeypatch.setattr(submit, "compile_refresh", lambda path: Path(shutil.copy(REFRESH, path)))
    monkeypatch.setattr(cluster.time, "sleep", lambda _: None)


def test_the_package_is_uploaded_and_a_run_of_it_started(capsys):
    with FakeKfpServer() as server:
        status = submit.main(
            ["--host", server.host, "--corpus", CORPUS, "--set", "evaluate.seed=7", "--service-account", "runner"]
        )

    assert status == 0
    (run,) = server.runs
    assert run.pipeline_version_reference.pipeline_id == "pipeline-1"
    assert run.pipeline_version_reference.pipeline_version_id == "version-1"
    assert run.service_account == "runner" and run.experiment_id == "experiment-1"
    parameters = run.runtime_config.parameters
    assert parameters["corpus"] == CORPUS and parameters["evaluate"]["seed"] == 7
    assert set(parameters) == {*submit.INPUTS, *recipes.arguments("small")}
    assert GOLDEN.read_bytes() in server.packages[-1]
    assert f"{server.host}/#/runs/details/run-1" in capsys.readouterr().out


def test_the_same_package_is_not_uploaded_again():
    with FakeKfpServer() as server:
        for _ in range(2):
            assert submit.main(["--host", server.host, "--corpus", CORPUS]) == 0
    assert len(server.versions) == 1 and len(server.runs) == 2 and len(server.experiments) == 1


@pytest.mark.parametrize(("states", "expected"), [(("RUNNING", "SUCCEEDED"), 0), (("RUNNING", "FAILED"), 1)])
def test_waiting_ends_with_the_runs_result(states, expected, capsys):
    with FakeKfpServer(states=states) as server:
        assert submit.main(["--host", server.host, "--corpus", CORPUS, "--wait"]) == expected
    shown = capsys.readouterr().out
    assert "ingest_corpus: running" in shown and shown.strip().endswith(states[-1].lower())


def test_a_server_that_is_silent_for_a_moment_does_not_end_the_waiting():
    with FakeKfpServer(states=("RUNNING", 500, 502, "SUCCEEDED")) as server:
        assert submit.main(["--host", server.host, "--corpus", CORPUS, "--wait"]) == 0


def test_a_schedule_becomes_a_recurring_run(capsys):
    with FakeKfpServer() as server:
        assert submit.main(["--host", server.host, "--corpus", CORPUS, "--cron", "0 0 3 * * 0"]) == 0
    (made,) = server.recurring
    assert made.trigger.cron_schedule.cron == "0 0 3 * * 0" and made.max_concurrency in (1, "1") and made.no_catchup
    assert "recurring-1" in capsys.readouterr().out and not server.runs
    assert b"enableCache" not in server.packages[-1]  # documents change below an address that stays


def test_a_fresh_run_takes_nothing_from_the_cache():
    with FakeKfpServer() as server:
        for more in ([], ["--fresh"]):
            assert submit.main(["--host", server.host, "--corpus", CORPUS, *more]) == 0
    cached, fresh = server.packages[-2:]
    assert b"enableCache: true" in cached and b"enableCache" not in fresh
    assert len(server.versions) == 2 and fresh.count(b"cachingOptions: {}") > 20


def test_a_refresh_recurs_as_a_pipeline_of_its_own(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text("cpu_image: registry/cpu:1\ngpu_image: registry/gpu:1\n", encoding="utf-8")
    given = [
        "--refresh",
        f"{FINISHED} {FINISHED}0",
        "--corpus",
        CORPUS,
        "--cron",
        "0 0 3 * * *",
        "--parameters",
        str(file),
    ]
    with FakeKfpServer() as server:
        assert submit.main(["--host", server.host, *given, "--set", "mine_synonyms.frequent_terms=7"]) == 0
    (made,), (pipeline,) = server.recurring, server.pipelines
    assert pipeline["display_name"] == made.display_name == "kosparse-refresh"
    assert REFRESH.read_bytes() in server.packages[-1] and not server.runs
    parameters = made.runtime_config.parameters
    assert {"run", "corpus", "settings", "cpu_image"} == set(parameters)
    assert (parameters["run"], parameters["corpus"]) == (f"{FINISHED} {FINISHED}0", CORPUS)
    assert parameters["settings"]["mine_synonyms"]["frequent_terms"] == 7


def test_a_dry_run_sends_nothing(capsys):
    assert submit.main(["--host", "http://nowhere.invalid", "--corpus", CORPUS, "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"]["corpus"] == CORPUS


def test_a_parameters_file_stands_between_recipe_and_command_line(tmp_path, capsys):
    file = tmp_path / "p.yaml"
    file.write_text(f"corpus: {CORPUS}\nevaluate: {{seed: 3, depth: 50}}\n", encoding="utf-8")
    assert submit.main(["--parameters", str(file), "--set", "evaluate.seed=4", "--dry-run"]) == 0
    shown = json.loads(capsys.readouterr().out)["parameters"]
    assert (shown["corpus"], shown["evaluate"]["seed"], shown["evaluate"]["depth"]) == (CORPUS, 4, 50)


def test_where_tasks_run_is_given_by_file_and_command_line(tmp_path, capsys):
    file = tmp_path / "p.yaml"
    file.write_text("node_selector: {pool: a100}\ngpus: 2\nllm_secret: team-llm\ncpu_request: 8\n", encoding="utf-8")
    arguments = ["--corpus", CORPUS, "--parameters", str(file), "--dry-run"]
    assert submit.main(arguments) == 0
    shown = json.loads(capsys.readouterr().out)["parameters"]
    assert (shown["node_selector"], shown["gpus"]) == ({"pool": "a100"}, 2) and "gpu_type" not in shown
    assert (shown["llm_secret"], shown["cpu_request"]) == ("team-llm", "8") and "memory_limit" not in shown
    assert shown["train_gpus"] == 2 and shown["serve_llm"]["gpus"] == 1


def test_a_cluster_without_gpus_is_asked_for_none(tmp_path, capsys):
    def sent(*arguments):
        assert submit.main(["--corpus", CORPUS, "--gpus", "0", "--dry-run", *arguments]) == 0
        return json.loads(capsys.readouterr().out)["parameters"]

    shown = sent()
    assert (shown["gpus"], shown["train_gpus"], shown["serve_llm"]["gpus"]) == (0, 0, 0)
    assert sent("--set", "serve_llm.gpus=2")["serve_llm"]["gpus"] == 2  # a server elsewhere, as it is told


def test_where_nodes_train_the_step_itself_takes_no_gpu(capsys):
    nodes = ["--set", "train_sparse.nodes=2", "--recipe", "full"]
    assert submit.main(["--corpus", CORPUS, "--gpus", "1", "--dry-run", *nodes]) == 0
    shown = json.loads(capsys.readouterr().out)["parameters"]
    assert (shown["gpus"], shown["train_gpus"], shown["train_sparse"]["nodes"]) == (1, 0, 2)
    assert submit.main(["--corpus", CORPUS, "--dry-run", "--set", "train_sparse.nodes=2"]) == 2
    assert "2 nodes cannot share the training of a head" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("server", "arguments", "message"),
    [
        ({"token": "right"}, [], "KFP_TOKEN"),
        ({"login_page": True}, [], "login"),
        ({"version": "1.8.22"}, [], "1.8.22"),
        ({"multi_user": True}, [], "NAMESPACE"),
        ({"multi_user": True, "namespaces": ("team",)}, ["--namespace", "other"], "namespace other"),
        ({}, ["--cron", "0 3 * * 0"], "not a schedule"),
    ],
)
def test_what_the_server_refuses_is_one_clear_message(server, arguments, message, capsys):
    with FakeKfpServer(**server) as running:
        assert submit.main(["--host", running.host, "--corpus", CORPUS, *arguments]) != 0
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error and not running.runs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "http://127.0.0.1:9", "--corpus", CORPUS], "cannot be reached"),
        (["--corpus", CORPUS], "HOST"),
        (["--host", "http://127.0.0.1:9"], "CORPUS is not given"),
        (["--host", "http://127.0.0.1:9", "--corpus", "my.jsonl"], "the cluster cannot read"),
        (["--host", "http://127.0.0.1:9", "--parameters", "/nowhere.yaml"], "cannot be read"),
        (["--corpus", CORPUS, "--refresh", FINISHED, "--qrels", CORPUS], "a refresh reads documents alone"),
        (["--corpus", CORPUS, "--refresh", f"{FINISHED} .kosparse/runs/latest"], "the cluster cannot read '.kosparse"),
        (["--host", "http://127.0.0.1:9", "--corpus", CORPUS, "--recipe", "huge"], "no recipe 'huge'"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(arguments, message, capsys):
    assert submit.main(arguments) != 0
    assert message in capsys.readouterr().err


def test_what_is_wrong_is_told_in_korean_where_that_is_wanted(monkeypatch, capsys):
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    assert submit.main(["--host", "http://127.0.0.1:9"]) != 0
    assert "할 일: " in capsys.readouterr().err


SENDING = [[], ["--fresh"], ["--cron", "0 0 3 * * 0"], ["--refresh", FINISHED], ["--dry-run"]]


def test_no_credential_is_sent_but_in_the_headers_or_shown(monkeypatch, capsys):
    monkeypatch.setattr(submit, "compile_pipeline", compile_pipeline)
    monkeypatch.setattr(submit, "compile_refresh", compile_refresh)
    for name in ("KFP_TOKEN", "KFP_COOKIE", *(name for keys in SECRETS.values() for name in keys.values())):
        monkeypatch.setenv(name, f"planted={name}-4711")
    with FakeKfpServer(token="planted=KFP_TOKEN-4711", cookie="planted=KFP_COOKIE-4711") as server:
        for more in SENDING:
            assert submit.main(["--host", server.host, "--corpus", CORPUS, *more]) == 0
    shown = capsys.readouterr()
    assert (len(server.packages), len(server.runs), len(server.recurring)) == (4, 3, 1)
    assert b"-4711" not in b"".join(server.packages)
    assert "-4711" not in f"{server.pipelines}{server.versions}{server.experiments}{server.runs}{server.recurring}"
    assert "-4711" not in shown.out + shown.err


@pytest.fixture
def pod_token(monkeypatch, tmp_path):
    """The projected token of a pod's service account."""
    file = tmp_path / "token"
    file.write_text("of-the-pod\n", encoding="utf-8")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(file))


def test_a_pod_is_known_by_its_token_and_needs_no_host(pod_token, monkeypatch):
    with FakeKfpServer(token="of-the-pod") as server:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        monkeypatch.setattr(cluster, "_IN_CLUSTER", server.host)
        assert submit.main(["--corpus", CORPUS]) == 0
    assert server.runs


def test_a_token_that_is_given_goes_before_the_pods(pod_token, monkeypatch):
    monkeypatch.setenv("KFP_TOKEN", "given")
    with FakeKfpServer(token="given") as server:
        assert submit.main(["--host", server.host, "--corpus", CORPUS]) == 0
    assert server.runs


def test_without_a_token_file_a_pod_is_told_that_it_is_not_known(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "nowhere"))
    with FakeKfpServer(token="of-the-pod") as server:
        assert submit.main(["--host", server.host, "--corpus", CORPUS]) == 3
    assert "Kubeflow does not know us" in capsys.readouterr().err and not server.runs
