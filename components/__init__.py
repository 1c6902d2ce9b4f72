"""Kubeflow Pipelines components: one folder per step, each an import and a call into kosparse."""

from importlib import import_module
from types import SimpleNamespace

from kosparse.steps import STEPS


def load() -> SimpleNamespace:
    """Every component by its step's name."""
    return SimpleNamespace(**{name: getattr(import_module(f"components.{name}.component"), name) for name in STEPS})
