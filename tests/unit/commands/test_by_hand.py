import json
import shutil
import subprocess
from importlib import import_module

import pytest

from kosparse import cli
from kosparse.commands import by_hand as commands_by_hand
from kosparse.config import CheckPrerequisitesConfig, GenerateQueriesConfig, IngestCorpusConfig
from kosparse.config.describe import settings_of
from kosparse.steps import STEPS, build_training_set
from kosparse.steps.ingest_corpus import run

TEXT = "셀을 보호하려면 먼저 시트를 보호해야 합니다."


@pytest.fixture
def by_hand(tmp_path, monkeypatch, capsys):
    """Call ``kosparse ingest_corpus``; return the exit status, and what it printed."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))
    corpus = tmp_path / "my.jsonl"
    corpus.write_text(json.dumps({"_id": "a", "text": TEXT}), encoding="utf-8")

    def call(*arguments):
        files = [f"--{name}={tmp_path}/out/{name}" for name in run.outputs]
        status = cli.main(["ingest_corpus", f"--corpus={corpus}", *files, *arguments])
        out, err = capsys.readouterr()
        return status, out, err

    call.corpus = corpus
    call.events = tmp_path / "events.jsonl"
    return call


def test_a_step_prints_its_metrics_for_people_or_programs(by_hand):
    status, out, _ = by_hand()
    assert status == 0 and "documents       1\n" in out
    assert json.loads(by_hand("--json")[1])["documents"] == 1.0


def test_a_dry_run_checks_and_writes_nothing(by_hand, tmp_path):
    status, out, _ = by_hand("--dry-run", "--json", "--set", "max_documents=5")
    assert status == 0 and json.loads(out)["max_documents"] == 5
    assert not (tmp_path / "out").exists()
    status, _, err = by_hand("--dry-run", "--set", "max_docs=5")
    assert status == 2 and "max_docs" in err and "max_documents" in err


def test_a_dry_run_misses_a_corpus_that_is_not_there_or_not_named(by_hand, tmp_path):
    status, _, err = by_hand("--dry-run", f"--corpus={tmp_path}/none.jsonl", f"--query_log={tmp_path}/none.txt")
    assert status == 2 and "these inputs do not exist: corpus, query_log" in err
    status, _, err = by_hand("--dry-run", "--corpus=")
    assert status == 2 and "no corpus was given" in err
    assert by_hand("--dry-run", "--corpus=s3://corpus/mine/")[0] == 0  # no service is asked


def test_a_resumed_step_runs_again_only_when_something_changed(by_hand):
    def started():
        return by_hand.events.read_text(encoding="utf-8").count('"started"')

    by_hand()
    status, out, err = by_hand("--resume", "--json")
    assert status == 0 and started() == 1 and "already done" in err and json.loads(out)["documents"] == 1.0
    by_hand("--resume", "--set", "max_documents=3")
    assert started() == 2
    by_hand.corpus.write_text(json.dumps({"_id": "b", "text": TEXT}), encoding="utf-8")
    by_hand("--resume", "--set", "max_documents=3")
    assert started() == 3


def test_what_lies_in_a_file_that_a_setting_names_counts_too(tmp_path):
    scores = tmp_path / "scores.jsonl"
    scores.write_text("a", encoding="utf-8")
    step = build_training_set.run
    options = dict.fromkeys((*step.params, *step.inputs), "")

    def made_from():
        return commands_by_hand._fingerprint(step, {"teacher_scores": str(scores)}, options)

    first = made_from()
    assert made_from() == first
    scores.write_text("b", encoding="utf-8")
    assert made_from() != first


def test_an_output_that_is_gone_is_made_again(by_hand, tmp_path):
    by_hand()
    (tmp_path / "out" / "passages").unlink()
    by_hand("--resume")
    assert (tmp_path / "out" / "passages").exists()


def test_help_tells_what_each_setting_means_and_each_exit_status(capsys):
    with pytest.raises(SystemExit):
        cli.main(["ingest_corpus", "--help"])
    out = capsys.readouterr().out
    assert "max_bad_share = 0.1\n      The run stops when more than this share of the rows is bad." in out
    assert "130 interrupted" in out


def test_no_setting_is_without_a_description():
    kinds = [import_module(f"kosparse.steps.{name}").run.config_type for name in STEPS]
    found = [(kind.__name__, setting.name, setting.about) for kind in kinds for setting in settings_of(kind)]
    assert len(found) > 150
    assert [(kind, name) for kind, name, about in found if not about] == []


def test_settings_are_described_by_the_docstrings_below_them():
    found = {setting.name: setting for setting in settings_of(GenerateQueriesConfig)}
    assert found["at_least"].about == "Requests that are answered whatever the budget says."
    assert found["concurrency"].kind == "int, >= 1, <= 1024"
    assert "prompt_fingerprint" not in found
    assert settings_of(CheckPrerequisitesConfig)[0].name == "seed"
    kinds = {setting.name: setting.kind for setting in settings_of(IngestCorpusConfig)}
    assert kinds["personal_data"] == "Literal['flag', 'drop']"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_every_step_is_completed_with_its_options_in_every_shell(shell, capsys, tmp_path):
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    options = ("--corpus_summary", "--resume") if shell != "tcsh" else ("corpus_summary", "resume")
    assert all(name in script for name in (*STEPS, "serve", *options))
    if shutil.which(shell):
        (tmp_path / "script").write_text(script, encoding="utf-8")
        read = subprocess.run([shell, "-n", str(tmp_path / "script")], capture_output=True, text=True)
        assert (read.returncode, read.stderr) == (0, "")


def test_a_shell_nobody_completes_for_is_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["completion", "fish"])
    assert caught.value.code == 2 and "zsh" in capsys.readouterr().err
