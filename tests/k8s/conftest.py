"""Overlays, built once."""

import copy
from functools import cache

import pytest

from k8s.build import build


@cache
def _built(overlay):
    return build(overlay)


@pytest.fixture
def built():
    """A build of one's own: ``built("gpu")``."""
    return lambda overlay: copy.deepcopy(_built(overlay))


@pytest.fixture
def find():
    """An object of a build: ``find(documents, "Role", "kosparse-task")``."""

    def one(documents, kind, name):
        [found] = [item for item in documents if (item["kind"], item["metadata"]["name"]) == (kind, name)]
        return found

    return one
