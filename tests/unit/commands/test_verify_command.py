"""A registered version measures what was reported of it, with nothing but what was registered."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kosparse.adapters.registered_encoder import python_with, registered_encoder
from kosparse.cli import main
from kosparse.errors import InputError, ServiceError
from kosparse.jsonl import read_records, write_records
from kosparse.records import Document
from kosparse.steps import register_model
from tests.fakes.tiny_sparse_encoder import write_tiny_morpheme_encoder, write_tiny_sparse_encoder
from tests.unit.evaluation.world import FakeEmbedder, write_finished_run

pytestmark = pytest.mark.services

WRITERS = {"morphemes": write_tiny_morpheme_encoder, "pieces": write_tiny_sparse_encoder}
ALIKE = """
import json, sys
print(json.dumps({"kosparse": ""}), flush=True)
for line in sys.stdin:
    print(json.dumps([{"x": 1.0 if place else 2.0} for place, _ in enumerate(json.loads(line)["texts"])]), flush=True)
"""
STRANGER = """
import json, sys
print(json.dumps({"kosparse": sys.argv[-1]}), flush=True)
"""


@pytest.fixture(scope="module", params=list(WRITERS))
def registered(request, mlflow_server, tmp_path_factory):
    """Registered name and the run's folder."""
    folder, name = tmp_path_factory.mktemp("verify"), f"verify-{request.param}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kosparse.adapters.embedder.open_embedder", FakeEmbedder)
        patch.setenv("KOSPARSE_CACHE", str(folder / "cache"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        run = write_finished_run(folder, WRITERS[request.param](folder / "model"))
        patch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
        patch.setenv("KOSPARSE_RUN_ID", run.name)
        tasks = run / "outputs" / "kosparse"
        register_model.run(
            config={"name": name},
            model=tasks / "train-sparse" / "model",
            results=tasks / "evaluate" / "results",
            html=tasks / "report" / "html",
            summary=tasks / "report" / "summary",
            dictionary=tasks / "enhance-dictionary" / "dictionary",
            registration=folder / "registration",
        )
    return name, run


@pytest.fixture(autouse=True)
def address(mlflow_server, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.setenv("KOSPARSE_CACHE", os.environ.get("KOSPARSE_TEST_CACHE", str(tmp_path / "cache")))


@pytest.mark.slow  # a Python of its own imports torch and MLflow anew
def test_another_python_measures_what_was_reported(registered, capsys):
    name, run = registered
    command = ["verify", "challenger", "--name", name, "--run", str(run), "--python", sys.executable]

    assert main([*command, "--tolerance", "0.0001"]) == 0

    out = capsys.readouterr().out
    assert f"version 1 of {name}, loaded with its own code: 3 queries" in out
    assert "0 queries have another ndcg@10" in out


@pytest.mark.slow  # installs what the model requires: minutes, and the network
@pytest.mark.timeout(1800)
def test_an_environment_of_the_models_own_requirements_is_enough(registered, capsys):
    name, run = registered
    assert main(["verify", "1", "--name", name, "--run", str(run), "--tolerance", "0.0001"]) == 0
    assert "0 queries have another ndcg@10" in capsys.readouterr().out


def test_a_model_that_measures_something_else_is_not_to_be_promoted(registered, capsys, tmp_path):
    name, run = registered
    python = str(_script(tmp_path / "alike", ALIKE))
    assert main(["verify", "--name", name, "--run", str(run), "--python", python]) == 2
    captured = capsys.readouterr()
    assert "more than 0.002 apart" in captured.err and "Do not promote it" in captured.err
    assert "queries have another ndcg@10" in captured.out


def test_documents_that_were_not_measured_on_are_refused(registered, tmp_path, capsys):
    name, run = registered
    other = shutil.copytree(run, tmp_path / "other")
    rows = list(read_records(other / "documents.jsonl", Document))
    write_records(other / "documents.jsonl", rows[:-1])
    assert main(["verify", "--name", name, "--run", str(other), "--python", sys.executable]) == 2
    told = capsys.readouterr().err
    assert "version 1 was measured on other documents" in told and run.name in told


def test_a_version_or_alias_that_is_not_there_is_told(registered, capsys):
    name, run = registered
    assert main(["verify", "champion", "--name", name, "--run", str(run)]) == 2
    assert f"no version of {name} is called champion" in capsys.readouterr().err
    assert main(["verify", "9", "--name", name, "--run", str(run)]) == 2
    assert "no version 9" in capsys.readouterr().err


def test_a_python_that_is_none_or_cannot_load_the_model_says_so(tmp_path):
    with (
        pytest.raises(ServiceError, match="there is no Python"),
        registered_encoder("models:/x/1", "http://127.0.0.1:9", tmp_path / "python"),
    ):
        pytest.fail("it was started")
    broken = _script(tmp_path / "broken", "raise SystemExit('no module named mlflow')")
    with (
        pytest.raises(InputError, match="cannot be used: no module named mlflow"),
        registered_encoder("models:/x/1", "http://127.0.0.1:9", broken),
    ):
        pytest.fail("it was loaded")


def test_a_model_loaded_with_the_code_of_this_machine_proves_nothing(tmp_path):
    import kosparse

    ours = _script(tmp_path / "ours", STRANGER, kosparse.__file__)
    with (
        pytest.raises(InputError, match="with the kosparse of this machine"),
        registered_encoder("models:/x/1", "http://127.0.0.1:9", ours),
    ):
        pytest.fail("it was believed")


def test_an_environment_is_made_once_and_one_that_cannot_be_made_leaves_nothing(tmp_path, monkeypatch):
    python = python_with("# nothing\n", tmp_path)
    told = subprocess.run([python, "-I", "-c", "import kosparse"], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError" in told.stderr
    monkeypatch.setattr("venv.create", lambda *_: pytest.fail("made again"))
    assert python_with("# nothing\n", tmp_path) == python
    monkeypatch.undo()
    with pytest.raises(ServiceError, match="what the model requires cannot be installed") as caught:
        python_with("nothing @ file:///no/such/wheel.whl\n", tmp_path)
    assert "PIP_INDEX_URL" in caught.value.fix and len(list(tmp_path.iterdir())) == 1


def _script(path: Path, code: str, *arguments: str) -> Path:
    """An interpreter that runs this code, whatever it is asked for."""
    program = path.with_suffix(".py")
    program.write_text(code, encoding="utf-8")
    words = " ".join(f'"{word}"' for word in (sys.executable, program, *arguments))
    path.write_text(f"#!/bin/sh\nexec {words}\n", encoding="utf-8")
    path.chmod(0o755)
    return path
