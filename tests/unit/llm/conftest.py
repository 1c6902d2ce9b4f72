import functools

import pytest

from tests.fakes.tiny_gpt_oss import save_tiny_gpt_oss
from tests.fakes.tiny_llm import save_tiny_llm


@pytest.fixture(scope="session")
def tiny_llm(tmp_path_factory):
    """Folder of a random causal language model with a chat template."""
    return save_tiny_llm(tmp_path_factory.mktemp("llm") / "tiny")


@pytest.fixture(scope="session")
def tiny_gpt_oss(tmp_path_factory):
    """Folder of a random gpt-oss, by layout: ``bf16`` or ``mxfp4``; both hold the same numbers."""

    @functools.cache
    def saved(layout):
        return save_tiny_gpt_oss(tmp_path_factory.mktemp("gpt-oss") / layout, mxfp4=layout == "mxfp4")

    return saved
