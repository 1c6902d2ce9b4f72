"""Vectors on disk by key."""

import numpy as np
import pytest

from kosparse.adapters.vector_cache import VectorCache
from kosparse.errors import ResourceError


def test_what_was_put_is_there_for_the_next_one_who_opens_the_file(tmp_path):
    VectorCache(tmp_path / "a" / "v.sqlite").put({"x": np.array([1, 2], dtype=np.float32)})
    cache = VectorCache(tmp_path / "a" / "v.sqlite")

    found = cache.get(["x", "y", "x"])

    assert list(found) == ["x"] and found["x"].tolist() == [1.0, 2.0]
    assert cache.dimensions() == 2


def test_an_empty_cache_knows_no_dimensions(tmp_path):
    assert VectorCache(tmp_path / "v.sqlite").dimensions() == 0


def test_the_first_vector_of_a_key_stays(tmp_path):
    cache = VectorCache(tmp_path / "v.sqlite")
    cache.put({"x": np.array([1], dtype=np.float32)})
    cache.put({"x": np.array([9], dtype=np.float32)})
    assert cache.get(["x"])["x"].tolist() == [1.0]


def test_more_keys_than_one_query_takes(tmp_path):
    cache = VectorCache(tmp_path / "v.sqlite")
    cache.put({str(i): np.array([i], dtype=np.float32) for i in range(1234)})
    assert len(cache.get([str(i) for i in range(2000)])) == 1234


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "v.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(ResourceError, match="cannot be used") as caught:
        VectorCache(tmp_path / "v.sqlite").get(["x"])
    assert caught.value.where == str(tmp_path / "v.sqlite")
