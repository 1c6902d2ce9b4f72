"""Run the whole pipeline on this machine: ``python -m pipelines.run_local`` (``make run``).

Starts the embedded services that are not given by the environment, compiles the graph, runs the
compiled package under ``kfp.local``, shows it live, checks and mirrors its outputs, prints the table,
and stops everything it started, however it ends.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from kosparse import korean
from kosparse.commands.run_folder import link_outputs, point_latest
from kosparse.errors import ConfigError, InputError, KosparseError
from kosparse.jsonl import write_json
from kosparse.settings import settings
from pipelines import outputs, recipes, summary
from pipelines.compile import compile_pipeline
from pipelines.live import Board, Display
from pipelines.local_services import LocalServices, single_run
from pipelines.revision import git_sha

HOME = Path(".kosparse")
"""Runs and service data, in the project folder."""

console = Console(stderr=True, highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once; return the exit status (see ``kosparse.cli.main``)."""
    signal.signal(signal.SIGTERM, _interrupt)
    options = _parser().parse_args(arguments)
    try:
        run_pipeline(
            recipe=options.recipe,
            corpus=options.corpus,
            queries=options.queries,
            qrels=options.qrels,
            query_log=options.query_log,
            overrides=options.set,
            home=options.home,
        )
    except KosparseError as error:
        console.print(f"kosparse: {korean.message(error)}", style="red", markup=False)
        return error.exit_code
    except KeyboardInterrupt:
        console.print("kosparse: interrupted; everything started here is stopped, LLM answers are kept")
        return 130
    return 0


def run_pipeline(
    *,
    recipe: str,
    corpus: str,
    queries: str,
    qrels: str,
    query_log: str = "",
    overrides: Sequence[str],
    home: Path = HOME,
) -> Path:
    """Run the compiled graph once and return the run's folder.

    Raises:
        KosparseError: With what failed; everything computed so far stays in the run's folder.
    """
    started = time.monotonic()
    configs = recipes.arguments(recipe, overrides)
    _refuse_nodes(configs)
    home = home.resolve()
    _refuse_unusable(home)
    with ExitStack() as stack:
        stack.enter_context(single_run(home))
        inputs = {
            "corpus": _location(corpus or _sample_corpus()),
            "queries": _location(queries),
            "qrels": _location(qrels),
            "query_log": _location(query_log),
        }
        run = _new_run(home)
        services = stack.enter_context(LocalServices(home / "services", run, configs["serve_llm"], console))
        environment = {**services.environment(), **_identity(run)}
        package = compile_pipeline(run / "pipeline.yaml")
        write_json(run / "arguments.json", {**inputs, **configs})
        board = Board(run / "events.jsonl")
        with _tracked(services, run):
            _run_worker(run, package, environment, board)
            folders = outputs.verify(package, run / "outputs")
        link_outputs(run, folders)
        numbers = summary.write_summary(run, folders, board)
        services.mirror(run / "outputs", run.name)
        point_latest(run)
    summary.show(numbers, run, board, Console(highlight=False), time.monotonic() - started)
    return run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="small", help=f"{', '.join(recipes.RECIPES)}, and +variant (default small)")
    parser.add_argument(
        "--corpus", default="", help="file, folder or s3://... (docs/own-corpus.md); default: the sample corpus"
    )
    parser.add_argument("--queries", default="", help="real queries, for evaluation")
    parser.add_argument("--qrels", default="", help="judgements for those queries")
    parser.add_argument("--query-log", default="", help="what people typed: one per line, or a CSV with counts")
    parser.add_argument("--set", action="append", default=[], metavar="STEP.KEY=VALUE", help="repeatable")
    parser.add_argument("--home", type=Path, default=HOME, help=f"where runs and services live (default {HOME})")
    return parser


def _refuse_unusable(home: Path) -> None:
    # kfp.local replaces the word "python3" in every argument by the interpreter's path.
    if "python3" in str(home):
        raise ConfigError("the project's path contains 'python3'", where=str(home), fix="Move the project elsewhere.")


def _refuse_nodes(configs: recipes.Overrides) -> None:
    nodes = configs["train_sparse"]["nodes"]
    if nodes > 1:
        raise ConfigError(
            f"{nodes} nodes are asked for, and this is one machine",
            where="train_sparse.nodes",
            fix="Set train_sparse.nodes=1, or `make submit` to a cluster.",
        )


def _sample_corpus() -> str:
    from kosparse.corpus.libreoffice import fetch_sample

    folder = fetch_sample(settings().cache)
    console.print(f"corpus    {folder} (sample)", markup=False)
    return str(folder)


def _location(path: str) -> str:
    """A path that means the same in another process; addresses stay as they are."""
    if not path or path.startswith("s3://"):
        return path
    if not Path(path).exists():
        raise InputError("there is no such file or folder", where=path, fix="Check CORPUS, QUERIES and QRELS.")
    return str(Path(path).resolve())


def _new_run(home: Path) -> Path:
    run = home / "runs" / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    run.mkdir(parents=True)
    return run


def _identity(run: Path) -> dict[str, str]:
    return {"KOSPARSE_RUN_ID": run.name, "KOSPARSE_EVENTS": str(run / "events.jsonl"), "KOSPARSE_GIT_SHA": git_sha()}


def _run_worker(run: Path, package: Path, environment: Mapping[str, str], board: Board) -> None:
    """Run the package in a process group of its own, drawing its events until it ends."""
    command = [sys.executable, "-m", "pipelines.local_worker", str(package), str(run / "arguments.json")]
    worker = None
    with open(run / "run.log", "wb") as log, Display(board, console) as display:
        try:
            with _held_back(signal.SIGINT, signal.SIGTERM):
                worker = subprocess.Popen(
                    [*command, str(run / "outputs")],
                    env={**os.environ, **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            while worker.poll() is None:
                display.update()
                if board.failed:
                    break  # kfp.local would go on with whatever does not depend on the failed step
                time.sleep(0.25)
        finally:
            if worker:
                _end_group(worker)
    board.read()
    if worker.returncode != 0:
        raise _failure(run, board)


@contextmanager
def _held_back(*numbers: signal.Signals) -> Iterator[None]:
    """Signals that arrive meanwhile act afterwards: one amid a start would leave the started behind, unknown."""
    arrived: list[int] = []
    before = {number: signal.signal(number, lambda came, _: arrived.append(came)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for came in arrived:
        signal.raise_signal(came)


@contextmanager
def _tracked(services: LocalServices, run: Path) -> Iterator[None]:
    """Close the run's record on the tracking server, with how it went."""
    try:
        yield
    except BaseException:
        services.end_tracking(run.name, failed=True)
        raise
    services.end_tracking(run.name, failed=False)


def _failure(run: Path, board: Board) -> KosparseError:
    """The first step's own error where there is one, the end of the log otherwise."""
    for name in board.failed:
        state = board.steps[name]
        error = KosparseError(
            f"{name} failed: {state.error}",
            where=str(run / "run.log"),
            fix="Mend the cause and run again: LLM answers, embeddings and the backbone are kept and reused.",
        )
        error.exit_code = state.exit_code or 1
        return error
    tail = (run / "run.log").read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
    return KosparseError(
        "the pipeline ended early:\n" + "\n".join(tail), where=str(run / "run.log"), fix="Read the log."
    )


def _end_group(worker: subprocess.Popen[Any]) -> None:
    """Stop the worker and the component it is running, by the group it was started in."""
    if worker.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(worker.pid, number)
        try:
            worker.wait(timeout=10)
            return
        except subprocess.TimeoutExpired:
            continue


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
