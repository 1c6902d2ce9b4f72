"""The response cache as the environment wants it: on this machine, and shared where there is an object store."""

from __future__ import annotations

from kosparse.llm.cache import CachedChatModel
from kosparse.llm.segments import Segments
from kosparse.ports import ChatModel
from kosparse.settings import Settings


def with_cache(inner: ChatModel, current: Settings) -> CachedChatModel:
    """A model behind the response cache; answers are shared where ``S3_ENDPOINT`` and ``KOSPARSE_LLM_CACHE`` are set.

    Raises:
        ConfigError: Either is not an address.
    """
    return CachedChatModel(inner, current.response_cache, segments=_segments(current))


def _segments(current: Settings) -> Segments | None:
    if not current.s3_endpoint or not current.llm_cache:
        return None
    from kosparse.adapters.store_s3 import open_store

    return Segments(open_store(), current.llm_cache, current.response_cache)
