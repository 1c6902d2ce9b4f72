"""Ctrl-C while a collection is read: whole files or none, and the next run finishes."""

import json
import signal

import pytest

from kosparse import cli, progress
from kosparse.jsonl import read_records
from kosparse.records import Document
from kosparse.steps.ingest_corpus import run

GOOD = "".join(
    json.dumps({"_id": f"d{n}", "text": f"셀을 보호하려면 먼저 시트를 보호해야 합니다. {n}번"}) + "\n"
    for n in range(30)
)


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))


def test_an_interruption_leaves_no_half_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "my.jsonl").write_text(GOOD, encoding="utf-8")

    def interrupt(items, *given, **more):
        for number, item in enumerate(items):
            if number == 12:
                signal.raise_signal(signal.SIGINT)
            yield item

    monkeypatch.setattr(progress, "track", interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a test in the background of a shell ignores it
    files = [f"--{name}={tmp_path}/out/{name}" for name in run.outputs]
    assert cli.main(["ingest_corpus", "--corpus", str(tmp_path / "my.jsonl"), *files]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["flags", "rejects"]


PLACES = {
    "kosparse.steps.ingest_corpus.locate": set(),
    "kosparse.corpus.cleaning.to_document": set(),
    "kosparse.corpus.summary.personal_data": set(),
    "kosparse.corpus.duplicates.Duplicates.find": set(),
    "kosparse.steps.ingest_corpus.read_evaluation": {"documents"},
    "kosparse.steps.ingest_corpus.split_document": {"documents", "evaluation", "parallel", "logged"},
    "kosparse.steps.ingest_corpus.render": set(run.outputs) - {"datasheet"},
}
"""Where Ctrl-C comes -> what is whole by then, beside the rejects and flags."""


@pytest.mark.parametrize("place", PLACES)
def test_ctrl_c_anywhere_leaves_whole_files_only_and_the_next_run_finishes(place, tmp_path, monkeypatch, capsys):
    (tmp_path / "my.jsonl").write_text(GOOD, encoding="utf-8")
    files = [f"--{name}={tmp_path}/out/{name}" for name in run.outputs]
    arguments = ["ingest_corpus", f"--corpus={tmp_path}/my.jsonl", *files]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a test in the background of a shell ignores it
    with monkeypatch.context() as interrupted:
        interrupted.setattr(place, lambda *given, **more: signal.raise_signal(signal.SIGINT))
        assert cli.main(arguments) == 130
    told = {"rejects", "flags"}
    assert {path.name for path in (tmp_path / "out").iterdir()} - told == PLACES[place] - told
    assert cli.main([*arguments, "--resume"]) == 0
    assert len(list(read_records(tmp_path / "out/documents", Document))) == 30
    assert {path.name for path in (tmp_path / "out").iterdir()} >= set(run.outputs)
