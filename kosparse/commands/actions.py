"""What each command calls. Imports wait for the call, so that ``--help`` stays quick."""

from __future__ import annotations

import argparse
from pathlib import Path

from kosparse.errors import ConfigError, InputError


def search(options: argparse.Namespace) -> None:
    """``kosparse search``."""
    from kosparse.commands import search

    check_run(options.run)
    search.search(options.query, options.run, options.k, as_json=options.json)


def serve(options: argparse.Namespace) -> None:
    """``kosparse serve``."""
    from kosparse.commands import serve

    check_run(options.run)
    serve.serve(options.run, options.port, open_browser=options.open)


def train_node(options: argparse.Namespace) -> None:
    """``kosparse train-node``."""
    from kosparse.steps.train_nodes import train_as_node

    train_as_node(options.address)


def refresh(options: argparse.Namespace) -> None:
    """``kosparse refresh``."""
    from kosparse.commands import refresh
    from kosparse.commands.step_settings import read_settings
    from kosparse.commands.stored_run import is_stored

    if not is_stored(options.run):
        check_run(Path(options.run))
    refresh.run(
        options.run,
        options.corpus,
        overrides=read_settings(options.config, options.set),
        additions=options.add,
        every_hours=options.every,
        as_json=options.json,
    )


def encode(options: argparse.Namespace) -> None:
    """``kosparse encode``."""
    from kosparse.commands import search

    check_run(options.run)
    search.encode(options.text, options.run, options.k, document=options.document, as_json=options.json)


def encode_passages(options: argparse.Namespace) -> None:
    """``kosparse encode-passages``."""
    from kosparse.commands import search
    from kosparse.sparse.pruning import Pruning

    check_run(options.run)
    pruning = Pruning(options.top_k, options.max_ratio)
    how = {"pruning": pruning, "precision": options.precision, "processes": options.processes}
    search.encode_passages(options.passages, options.run, options.output, options.part, **how)


def sample(options: argparse.Namespace) -> None:
    """``kosparse sample``."""
    from kosparse.corpus.libreoffice import fetch_sample
    from kosparse.settings import settings

    print(fetch_sample(settings().cache))


def models(options: argparse.Namespace) -> None:
    """``kosparse models``."""
    from kosparse.models import MODELS, resolve

    for name in options.names or MODELS:
        print(resolve(f"packaged:{name}"))


def check_gpu(options: argparse.Namespace) -> None:
    """``kosparse check-gpu``."""
    from kosparse.llm.checkpoint import read_checkpoint
    from kosparse.llm.memory import card, check_gpu_memory, table
    from kosparse.models import resolve

    devices = [*check_gpu_memory(), *(card(size) for size in options.card)]
    print(table(read_checkpoint(str(resolve(options.model))), devices, options.context, options.concurrency))


def doctor(options: argparse.Namespace) -> None:
    """``kosparse doctor``."""
    from kosparse.commands import doctor

    doctor.run(as_json=options.json)


def completion(options: argparse.Namespace) -> None:
    """``kosparse completion``."""
    from kosparse.commands import completion

    completion.run(options.shell)


def pairs(options: argparse.Namespace) -> None:
    """``kosparse pairs``."""
    from kosparse.commands import pairs

    pairs.make(
        options.corpus,
        options.output,
        queries=options.queries,
        query_log=options.query_log,
        dictionary=options.dictionary,
        config=options.config,
        changes=options.set,
    )


def estimate(options: argparse.Namespace) -> None:
    """``kosparse estimate``."""
    from kosparse.commands import estimate

    estimate.run(options.corpus, options.config, options.set, options.tokens_per_second)


def cache_stats(options: argparse.Namespace) -> None:
    """``kosparse cache stats``."""
    from kosparse.commands import cache

    cache.stats()


def cache_export(options: argparse.Namespace) -> None:
    """``kosparse cache export``."""
    from kosparse.commands import cache

    cache.export(options.file, options.model)


def cache_prune(options: argparse.Namespace) -> None:
    """``kosparse cache prune``."""
    from kosparse.commands import cache

    cache.prune(options.days, options.model)


def label_make(options: argparse.Namespace) -> None:
    """``kosparse label make``."""
    from kosparse.commands import label

    unknown = sorted(set(options.systems) - set(label.SYSTEMS))
    if unknown:
        raise ConfigError(
            f"no such system: {', '.join(unknown)}", where="--systems", fix=f"Known: {', '.join(label.SYSTEMS)}."
        )
    check_run(options.run)
    label.make(options.queries, options.run, options.systems, options.depth, options.output)


def label_read(options: argparse.Namespace) -> None:
    """``kosparse label read``."""
    from kosparse.commands import label

    label.read(options.files, options.output)


def ablate(options: argparse.Namespace) -> None:
    """``kosparse ablate``."""
    from kosparse.commands import ablate
    from kosparse.evaluation.ablation import VARIANTS

    variants = list(VARIANTS) if options.variants is None else options.variants
    ablate.run(options.run, variants, options.seeds, options.output)


def benchmark(options: argparse.Namespace) -> None:
    """``kosparse benchmark``."""
    from kosparse.commands import benchmark
    from kosparse.evaluation.public_sets import SETS

    unknown = sorted(set(options.sets) - set(SETS))
    if unknown:
        raise ConfigError(f"no such set: {', '.join(unknown)}", where="benchmark", fix=f"Known: {', '.join(SETS)}.")
    if not options.read_only:
        check_run(options.run)
    benchmark.run(options.sets, options.data, None if options.read_only else options.run / "model", options.output)


def review(options: argparse.Namespace) -> None:
    """``kosparse review``."""
    from kosparse.commands import review

    review.show(options.name, options.version, options.policy)


def review_score(options: argparse.Namespace) -> None:
    """``kosparse review score``."""
    from kosparse.commands import review_pairs

    review_pairs.score_files(options.files, options.dataset)


def verify(options: argparse.Namespace) -> None:
    """``kosparse verify``."""
    from kosparse.commands import verify

    verify.verify(options.name, options.version, options.run, options.python, options.tolerance)


def promote(options: argparse.Namespace) -> None:
    """``kosparse promote``."""
    from kosparse.commands import review

    review.promote(options.name, options.version, options.policy, force=options.force, reason=options.reason)


def rollback(options: argparse.Namespace) -> None:
    """``kosparse rollback``."""
    from kosparse.commands import review

    review.rollback(options.name, options.reason)


def register(options: argparse.Namespace) -> None:
    """``kosparse register``."""
    from kosparse.commands import register

    register.register(options.run)


def check_run(run: Path) -> None:
    """Refuse a folder without a trained model."""
    if not (run / "model").exists():
        raise InputError("there is no trained model here", where=str(run), fix="Run `make run` first, or name --run.")
