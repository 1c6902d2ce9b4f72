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

from kosparse.commands.parser import parser
from kosparse.errors import ConfigError, InputError, KosparseError
from kosparse.steps import STEPS


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
            options = parser(STEPS).parse_args(given)
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


def run_step(name: str, arguments: Sequence[str]) -> None:
    """Run one step with files and settings from the command line; prints its metrics as JSON."""
    step = import_module(f"kosparse.steps.{name}").run
    step_parser = argparse.ArgumentParser(
        prog=f"kosparse {name}",
        description=(sys.modules[step.function.__module__].__doc__ or "").split("\n", 1)[0],
        epilog="settings (--set key=value):\n" + _settings_help(step.config_type),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for param in step.params:
        step_parser.add_argument(f"--{param}", default="", help="text")
    for given in step.inputs:
        step_parser.add_argument(f"--{given}", required=True, metavar="PATH", help="input")
    for written in step.outputs:
        step_parser.add_argument(f"--{written}", required=True, metavar="PATH", help="output")
    step_parser.add_argument("--config", type=Path, help="a JSON or YAML file of settings")
    step_parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; repeatable")
    step_parser.add_argument("--dry-run", action="store_true", help="check files and settings, then stop")
    options = vars(step_parser.parse_args(arguments))
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


if __name__ == "__main__":
    sys.exit(main())
