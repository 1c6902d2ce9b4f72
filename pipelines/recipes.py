"""Named sizes of a run: what they change from the defaults, step by step.

``small`` is the defaults themselves. ``smoke`` proves the plumbing in some three minutes; ``full`` is
meant for a GPU and a collection that deserves it. A size may be followed by variants that leave a part out,
``full+no_dictionary``: where a run of the size itself was cached, only training and evaluation run again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from kosparse import config as configs
from kosparse.config import StepConfig
from kosparse.errors import ConfigError
from kosparse.steps import STEPS

Overrides = dict[str, dict[str, Any]]
"""Step -> key -> value."""

RECIPES: dict[str, Overrides] = {
    "smoke": {
        "check_prerequisites": {"free_disk_gb": 0.5},
        "ingest_corpus": {"max_documents": 60},
        "mine_synonyms": {"max_candidates": 40, "frequent_terms": 60},
        "verify_synonyms": {"max_candidates": 8, "budget_seconds": 20},
        "discover_synonyms": {"max_terms": 2, "budget_seconds": 10},
        "generate_queries": {"max_passages": 6, "at_least": 3, "budget_seconds": 30},
        "augment_queries": {"max_queries": 2, "budget_seconds": 10},
        "generate_documents": {"max_queries": 1, "budget_seconds": 10},
        "generate_hard_negatives": {"max_pairs": 1, "budget_seconds": 10},
        "filter_pairs": {"max_judged": 4, "budget_seconds": 10, "entropy_queries": 0},
        "build_training_set": {"pseudo_queries": 200},
        "train_sparse": {"max_seconds": 20, "max_steps": 20},
        "evaluate": {"permutations": 1000},
    },
    "small": {},
    "full": {
        "check_prerequisites": {"free_disk_gb": 50},
        "mine_synonyms": {"max_candidates": 50000, "frequent_terms": 50000},
        "verify_synonyms": {
            "max_candidates": 20000,
            "labelled_pairs": 400,
            "budget_seconds": 7200,
            "concurrency": 128,
        },
        "discover_synonyms": {"max_terms": 2000, "labelled_pairs": 400, "budget_seconds": 3600, "concurrency": 128},
        "generate_queries": {
            "query_types": ["keyword", "question", "colloquial", "claim", "code_mixed"],
            "queries_per_passage": 5,
            "max_passages": 0,
            "max_tokens": 256,
            "budget_seconds": 14400,
            "concurrency": 128,
        },
        "augment_queries": {"max_queries": 5000, "budget_seconds": 3600, "concurrency": 128},
        "generate_documents": {"max_queries": 2000, "max_tokens": 256, "budget_seconds": 3600, "concurrency": 128},
        "generate_hard_negatives": {"max_pairs": 2000, "max_tokens": 256, "budget_seconds": 3600, "concurrency": 128},
        "filter_pairs": {
            "near_duplicate_cosine": 0.98,
            "dense_round_trip_rank": 50,
            "max_judged": 100000,
            "budget_seconds": 7200,
            "concurrency": 128,
        },
        "mine_negatives": {"dense_per_pair": 4},
        "build_training_set": {"pseudo_queries": 200000},
        "train_sparse": {
            "train": "all",
            "max_seconds": 14400,
            "max_steps": 50000,
            "learning_rate": 2e-5,
            "rounds": 4,
            "checkpoint_seconds": 600,
        },
        "serve_llm": {"model": "openai/gpt-oss-20b", "quantization": "mxfp4", "max_model_length": 8192},
    },
}

VARIANTS: dict[str, Overrides] = {
    "no_synthetic": {"build_training_set": {"use_synthetic": False}},
    "synthetic_only": {"build_training_set": {"pseudo_queries": 0}},
    "ratio_1_2": {"train_sparse": {"synthetic_share": 1 / 3}},
    "ratio_1_1": {"train_sparse": {"synthetic_share": 0.5}},
    "ratio_2_1": {"train_sparse": {"synthetic_share": 2 / 3}},
    "no_dictionary": {"train_sparse": {"dictionary_weight": 0.0, "translation_share": 0.0}},
    "no_llm_dictionary": {"verify_synonyms": {"strategy": "low"}, "discover_synonyms": {"max_terms": 0}},
    "no_distillation": {"train_sparse": {"label_weight": 1.0}},
    "no_closed_form": {"train_sparse": {"closed_form": False}},
    "untrained": {"train_sparse": {"closed_form": False, "max_steps": 0}},
}
"""The ablations as runs of their own; `kosparse ablate` trains them all on one finished run."""


def config_class(step: str) -> type[StepConfig]:
    """The config class of a step, by name.

    Raises:
        ConfigError: There is no such step.
    """
    if step not in STEPS:
        raise ConfigError(f"there is no step {step!r}", where="config", fix=f"Steps: {', '.join(STEPS)}.")
    found: type[StepConfig] = getattr(configs, "".join(word.capitalize() for word in step.split("_")) + "Config")
    return found


def arguments(recipe: str, settings: Iterable[str] = (), given: Mapping[str, Any] | None = None) -> Overrides:
    """Whole configs of all steps for a recipe, with what is given by step, and ``step.key=value`` settings, on top.

    A recipe is a size (``full``), or a size with variants (``full+no_dictionary``).
    Values of settings are read as YAML (``3``, ``true``, ``[a, b]``). All are checked against the config classes.

    Raises:
        ConfigError: Unknown recipe, step or key, or a value it cannot have.
    """
    overrides = _named(recipe)
    for step, values in (given or {}).items():
        config_class(step)
        if not isinstance(values, Mapping):
            raise ConfigError(f"the settings of {step} are not a mapping", where=step, fix="Write step: {key: value}.")
        overrides.setdefault(step, {}).update(values)
    for setting in settings:
        step, key, value = _parse_setting(setting)
        config_class(step)
        overrides.setdefault(step, {})[key] = value
    return {step: _complete(step, overrides.get(step, {})) for step in STEPS}


def _named(recipe: str) -> Overrides:
    size, *variants = recipe.split("+")
    if size not in RECIPES or not set(variants) <= set(VARIANTS):
        raise ConfigError(
            f"there is no recipe {recipe!r}",
            where="RECIPE",
            fix=f"Recipes: {', '.join(RECIPES)}; each may be followed by +{', +'.join(VARIANTS)}.",
        )
    overrides = copy.deepcopy(RECIPES[size])
    for variant in variants:
        for step, values in VARIANTS[variant].items():
            overrides.setdefault(step, {}).update(values)
    overrides.setdefault("check_prerequisites", {})["recipe"] = recipe
    return overrides


def _complete(step: str, overrides: dict[str, Any]) -> dict[str, Any]:
    kind = config_class(step)
    return kind.parse({**kind.defaults(), **overrides}, step=step).model_dump(mode="json")


def _parse_setting(setting: str) -> tuple[str, str, Any]:
    name, equals, text = setting.partition("=")
    step, dot, key = name.strip().partition(".")
    if not (equals and dot and key):
        raise ConfigError(f"cannot read setting {setting!r}", where="SET", fix="Write step.key=value.")
    try:
        return step, key, yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"cannot read the value of {setting!r}: {error}", where="SET", fix="Write YAML.") from error
