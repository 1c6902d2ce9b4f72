import pytest

from tests.fakes.tiny_llm import save_tiny_llm


@pytest.fixture(scope="session")
def tiny_llm(tmp_path_factory):
    """Folder of a random causal language model with a chat template."""
    return save_tiny_llm(tmp_path_factory.mktemp("llm") / "tiny")
