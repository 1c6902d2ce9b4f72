"""What the local runner does when the worker's steps go wrong."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from kosparse import progress
from kosparse.errors import ConfigError, KosparseError, ResourceError
from pipelines import local_services, run_local
from pipelines.live import Board
from pipelines.local_services import single_run

WORKER = """
import json, os, sys, time
def emit(**event):
    with open(os.environ["KOSPARSE_EVENTS"], "a") as file:
        file.write(json.dumps({"time": time.time(), **event}) + "\\n")
open(sys.argv[-1] + ".pid", "w").write(str(os.getpid()))
emit(step="generate_queries", event="started")
emit(step="generate_queries", event="failed", error="the server is gone", exit_code=3)
emit(step="prepare_backbone", event="started")
time.sleep(600)
"""


def _stand_in(tmp_path, monkeypatch, worker):
    (tmp_path / "worker.py").write_text(worker)
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/worker.py "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setattr(run_local.sys, "executable", str(wrapper))


def test_a_failed_step_ends_the_run_although_others_could_go_on(tmp_path, monkeypatch):
    _stand_in(tmp_path, monkeypatch, WORKER)
    events = tmp_path / "events.jsonl"

    started = time.monotonic()
    with pytest.raises(KosparseError, match="generate_queries failed: the server is gone") as caught:
        run_local._run_worker(tmp_path, tmp_path / "p.yaml", {"KOSPARSE_EVENTS": str(events)}, Board(events))

    assert caught.value.exit_code == 3 and time.monotonic() - started < 60
    assert json.loads(events.read_text().splitlines()[-1])["step"] == "prepare_backbone"
    assert not psutil.pid_exists(int((tmp_path / "outputs.pid").read_text()))


@pytest.fixture
def signals_of_a_run():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a test in the background of a shell ignores it
    signal.signal(signal.SIGTERM, run_local._interrupt)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_stops_what_it_started_and_keeps_what_was_written(
    tmp_path, monkeypatch, signals_of_a_run, name
):
    worker = WORKER.replace('event="failed", error=', 'event="note", text=')
    sent = f"import signal; os.kill(int(os.environ['RUNNER']), signal.{name}); time.sleep(600)"
    _stand_in(tmp_path, monkeypatch, worker.replace("time.sleep(600)", sent))
    events = tmp_path / "events.jsonl"
    environment = {"KOSPARSE_EVENTS": str(events), "RUNNER": str(os.getpid())}
    with pytest.raises(KeyboardInterrupt):
        run_local._run_worker(tmp_path, tmp_path / "p.yaml", environment, Board(events))
    assert not psutil.pid_exists(int((tmp_path / "outputs.pid").read_text()))
    assert len(events.read_text().splitlines()) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_amid_the_start_of_the_worker_stops_it_too(tmp_path, monkeypatch, signals_of_a_run, number):
    _stand_in(tmp_path, monkeypatch, WORKER)
    events = tmp_path / "events.jsonl"
    started = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)
            signal.raise_signal(number)

    monkeypatch.setattr(run_local.subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_local._run_worker(tmp_path, tmp_path / "p.yaml", {"KOSPARSE_EVENTS": str(events)}, Board(events))
    assert [worker.returncode for worker in started] == [-signal.SIGTERM]


def _commands(processes):
    return {process: " ".join(process.cmdline()) for process in processes}


@pytest.mark.services
def test_a_run_that_is_terminated_leaves_nothing_running(tiny, environment, settings_of_run, tmp_path):
    home = tmp_path / "home"
    command = [sys.executable, "-m", "pipelines.run_local", "--recipe", "smoke", "--home", str(home)]
    settings = [word for setting in settings_of_run for word in ("--set", setting)]
    with open(tmp_path / "log", "wb") as log:
        run = subprocess.Popen([*command, "--corpus", str(tiny / "corpus"), *settings], stdout=log, stderr=log)
    try:
        while not any('"ingest_corpus"' in file.read_text() for file in home.glob("runs/*/events.jsonl")):
            assert run.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        started = _commands(psutil.Process(run.pid).children(recursive=True))
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=120) == 130
    finally:
        run.kill()
    for name in ("pipelines.local_worker", "kfp.dsl.executor_main", "weed mini", "mlflow"):
        assert any(name in command for command in started.values()), name
    assert [started[process] for process in psutil.wait_procs(started, timeout=10)[1]] == []
    assert "everything started here is stopped" in (tmp_path / "log").read_text()


def test_the_line_of_a_running_step_shows_what_else_it_tells(tmp_path, monkeypatch):
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))
    progress.set_step("train_sparse")
    progress.emit("started")
    bar = progress.Bar("training", 300, "steps")
    bar.detail = "loss 0.5, 150 active"
    bar.close()

    board = Board(tmp_path / "events.jsonl")
    board.read()
    assert board.steps["train_sparse"].progress.endswith("steps, 0.0/s, loss 0.5, 150 active")


def test_a_command_that_needs_the_language_model_is_told_when_the_given_one_is_dead(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1:1/v1")
    started = tmp_path / "started"

    status = local_services.main(["--llm", sys.executable, "-c", f"open({str(started)!r}, 'w')"], tmp_path / "home")

    assert status == 3 and not started.exists()
    assert "language model cannot be reached" in capsys.readouterr().err


def test_a_second_run_in_one_folder_is_told_to_wait(tmp_path):
    with single_run(tmp_path), pytest.raises(ResourceError, match="another run is using this folder") as caught:
        with single_run(tmp_path):
            pass
    assert "Wait for it" in caught.value.fix and caught.value.exit_code == 4


def test_nodes_are_refused_on_one_machine_before_anything_runs(tmp_path):
    nodes = ["train_sparse.nodes=2"]
    with pytest.raises(ConfigError, match="2 nodes are asked for, and this is one machine"):
        run_local.run_pipeline(recipe="full", corpus="", queries="", qrels="", overrides=nodes, home=tmp_path / "home")
    assert not list(tmp_path.iterdir())
