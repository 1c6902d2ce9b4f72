"""Settings of steps from a file and from ``step.key=value`` on the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from kosparse.errors import ConfigError
from kosparse.llm.estimate import check_settings


def read_settings(config: str, changes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Step -> key -> value.

    Args:
        config: A JSON or YAML file, such as a run's ``arguments.json``; or the JSON object itself, as Kubeflow passes
            it; ``-`` is standard input, empty is nothing.
        changes: ``step.key=value`` on top; values are read as YAML.

    Raises:
        ConfigError: Not readable, or no such step or key, or a value it cannot have.
    """
    found = _read(config) if config else {}
    for change in changes:
        name, equals, text = change.partition("=")
        step, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            raise ConfigError(f"cannot read setting {change!r}", where="--set", fix="Write step.key=value.")
        found.setdefault(step, {})[key] = yaml.safe_load(text)
    check_settings(found)
    return {step: values for step, values in found.items() if isinstance(values, dict)}


def _read(config: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(_text(config))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read the settings: {error}", where=config, fix="Give JSON or YAML.") from error
    if not isinstance(found, dict):
        raise ConfigError("the settings are not a mapping", where=config, fix="Write step -> key -> value.")
    return found


def _text(config: str) -> str:
    if config.startswith("{"):
        return config
    return sys.stdin.read() if config == "-" else Path(config).read_text(encoding="utf-8")
