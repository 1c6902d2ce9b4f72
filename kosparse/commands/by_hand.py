"""``kosparse <step>``: one step of the graph by hand, with its files and settings.

Options are read off the step's signature and config class, so nothing is written twice.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from kosparse import korean
from kosparse.commands.parser import EXIT_STATUS
from kosparse.config.describe import settings_of
from kosparse.errors import ConfigError, InputError
from kosparse.export.hashing import file_hash, folder_hash
from kosparse.jsonl import read_json, write_json
from kosparse.steps.inputs import no_corpus
from kosparse.steps.runtime import Step


def run_step(name: str, arguments: Sequence[str]) -> None:
    """Run one step with files and settings from the command line; prints its metrics.

    Raises:
        KosparseError: As the step does.
    """
    step: Step = import_module(f"kosparse.steps.{name}").run
    parser = korean.translate_help(add_options(argparse.ArgumentParser(prog=f"kosparse {name}"), step))
    options = vars(parser.parse_args(arguments))
    config = read_config(options.pop("config"), options.pop("set"))
    as_json, dry_run, resume = options.pop("json"), options.pop("dry_run"), options.pop("resume")
    if dry_run:
        _print(_check(step, config, options), as_json=as_json)
        return
    made_from = _fingerprint(step, config, options)
    record = _record(step, options)
    if resume and record and _is_done(step, options, record, made_from):
        metrics = read_json(record)["metrics"]
        print(f"{name}: already done from the same inputs and settings", file=sys.stderr)
    else:
        metrics = step(config=config, **options)
        if record:
            write_json(record, {"made_from": made_from, "metrics": metrics})
    _print(metrics, as_json=as_json)


def add_options(parser: argparse.ArgumentParser, step: Step) -> argparse.ArgumentParser:
    """Give a parser the options of a step."""
    parser.description = (sys.modules[step.function.__module__].__doc__ or "").split("\n", 1)[0]
    settings = f"{korean.say('settings (--set key=value):')}\n{_settings_help(step.config_type)}"
    parser.epilog = f"{settings}\n\n{korean.say(EXIT_STATUS)}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for param in step.params:
        parser.add_argument(f"--{param}", default="", help="text")
    for given in step.inputs:
        parser.add_argument(f"--{given}", required=True, metavar="PATH", help="input")
    for written in step.outputs:
        parser.add_argument(f"--{written}", required=True, metavar="PATH", help="output")
    parser.add_argument("--config", type=Path, help="a JSON or YAML file of settings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; repeatable")
    parser.add_argument("--dry-run", action="store_true", help="check files and settings, then stop")
    parser.add_argument(
        "--resume", action="store_true", help="do nothing if all outputs are there, from the same inputs and settings"
    )
    parser.add_argument("--json", action="store_true", help="print the metrics as JSON")
    return parser


def read_config(path: Path | None, settings: Sequence[str]) -> dict[str, Any]:
    """Settings of a file and, on top, of ``key=value`` words.

    Raises:
        ConfigError: They cannot be read.
    """
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
        try:
            values[key.strip()] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"cannot read the value of {setting!r}", where="--set", fix="Write YAML.") from error
    return values


def _check(step: Step, config: Mapping[str, Any], options: Mapping[str, str]) -> dict[str, Any]:
    """The whole config, if the step could run."""
    checked = step.config_type.parse(config, step=step.name)
    if "corpus" in step.params and not options["corpus"]:
        raise no_corpus()
    missing = [given for given in (*step.params, *step.inputs) if not _is_there(options[given])]
    if missing:
        raise InputError(f"these inputs do not exist: {', '.join(missing)}", where=step.name, fix="Check the paths.")
    return checked.model_dump(mode="json")


def _is_there(address: str) -> bool:
    """Whether a file or folder exists; one of the object store may, and none given is none missing."""
    return not address or address.startswith("s3://") or Path(address).exists()


def _print(values: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(values, ensure_ascii=False))
        return
    width = max(map(len, values), default=0)
    for name, value in values.items():
        print(f"{name:{width}}  {_number(value) if isinstance(value, float) else value}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:,.4f}"


def _settings_help(kind: Any) -> str:
    lines = []
    for setting in settings_of(kind):
        lines.append(f"  {setting.name} = {setting.default!r}")
        lines += [f"      {korean.say(setting.about)}"] if setting.about else []
    return "\n".join(lines)


def _record(step: Step, options: Mapping[str, str]) -> Path | None:
    """Where it is noted what the outputs were made from; None for a step that writes nothing."""
    if not step.outputs:
        return None
    first = Path(options[step.outputs[0]])
    return first.with_name(f".{first.name}.made-from.json")


def _is_done(step: Step, options: Mapping[str, str], record: Path, made_from: str) -> bool:
    outputs_there = all(Path(options[name]).exists() for name in step.outputs)
    return outputs_there and record.exists() and read_json(record).get("made_from") == made_from


def _fingerprint(step: Step, config: Mapping[str, Any], options: Mapping[str, str]) -> str:
    """Hash of the step, its settings and the content of its inputs and of files that settings name.

    An address elsewhere counts by its name.
    """
    hashed = hashlib.sha256(step.name.encode())
    settings = {**step.config_type.defaults(), **config}
    hashed.update(json.dumps(settings, sort_keys=True, default=str).encode())
    named = {name: value for name, value in settings.items() if isinstance(value, str)}
    for name, value in {**named, **{name: options[name] for name in (*step.params, *step.inputs)}}.items():
        hashed.update(f"\0{name}\0{value}\0".encode())
        hashed.update(_content_hash(value).encode())
    return hashed.hexdigest()


def _content_hash(address: str) -> str:
    """Of a file or folder on this machine; empty for anything else."""
    path = Path(address)
    try:
        if not address or not (path.is_dir() or path.is_file()):  # whoever opened a pipe would wait for ever
            return ""
    except OSError:  # too long for a path: a text
        return ""
    return folder_hash(path) if path.is_dir() else file_hash(path)
