"""The two locks of promotions, against a real S3 store and a real MLflow server."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from kosparse.adapters.mlflow_rest import MlflowRest
from kosparse.adapters.promotion_lock import name_lock, promotion_lock, store_lock
from kosparse.adapters.store_s3 import S3Store, open_store
from kosparse.errors import ServiceError
from kosparse.services.s3 import S3Store as Server

pytestmark = pytest.mark.services

LOCKS = "s3://mlpipeline/locks"
RACERS = 12


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("s3")) as running:
        yield running.environment


@pytest.fixture
def store(s3, monkeypatch):
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    return open_store()


@pytest.fixture(params=["store", "name"])
def lock(request):
    """Take a lock, by the test's own name: ``lock(stale_seconds=...)``."""
    name = request.node.name[:60].replace("[", "-").rstrip("]")
    if request.param == "store":
        store = request.getfixturevalue("store")
        return lambda **settings: store_lock(store, LOCKS, name, **settings)
    server = MlflowRest(request.getfixturevalue("mlflow_server"))
    return lambda **settings: name_lock(server, name, **settings)


def _race(lock, **settings):
    """How many of some that start at once are inside while all have tried."""
    start, tried = threading.Barrier(RACERS), threading.Barrier(RACERS)

    def promote(_):
        start.wait(60)
        try:
            with lock(**settings):
                tried.wait(60)
                return 1
        except ServiceError as error:
            assert "another promotion" in error.message
            tried.wait(60)
            return 0

    with ThreadPoolExecutor(RACERS) as pool:
        return sum(pool.map(promote, range(RACERS)))


def _refused(lock):
    with pytest.raises(ServiceError, match="another promotion"), lock():
        pytest.fail("two hold one lock")


def test_of_many_at_once_one_gets_in_and_afterwards_the_next(lock):
    assert _race(lock) == 1
    assert _race(lock) == 1
    with lock():
        _refused(lock)


def test_what_a_crash_left_behind_is_taken_over_by_one(lock):
    dead = lock()
    dead.__enter__()
    _refused(lock)
    with lock(stale_seconds=0):
        _refused(lock)
    with lock():
        _refused(lock)


def test_one_who_was_taken_for_dead_gives_nobody_elses_lock_back(lock):
    late = lock()
    late.__enter__()
    with lock(stale_seconds=0):
        late.__exit__(None, None, None)
        _refused(lock)
    with lock():
        _refused(lock)


def test_an_error_inside_gives_the_lock_back(lock):
    with pytest.raises(ZeroDivisionError), lock():
        _ = 1 / 0
    with lock():
        _refused(lock)


def test_the_store_locks_where_one_is_set_and_else_the_registry(store, mlflow_server, monkeypatch):
    def locks():
        found = MlflowRest(mlflow_server).get("registered-models/search").get("registered_models", [])
        return [row["name"] for row in found if row["name"].startswith("chosen.promotion-lock")]

    server = MlflowRest(mlflow_server)
    with promotion_lock("chosen", server):
        assert store.exists("mlpipeline", "kosparse/locks/chosen") and not locks()
    monkeypatch.setenv("KOSPARSE_LOCKS", "")
    with promotion_lock("chosen", server):
        assert locks() == ["chosen.promotion-lock"]
    monkeypatch.delenv("KOSPARSE_LOCKS")
    monkeypatch.delenv("S3_ENDPOINT")
    with promotion_lock("chosen", server):
        assert locks() == ["chosen.promotion-lock"]
    assert not locks(), "nothing is left of a lock that was given back"


class Unconditional(S3Store):
    """A store too old for conditions."""

    def write_if(self, bucket, key, content, *, etag):
        with self._told(bucket, key):
            self._client._put_object(bucket, key, content, {})
        return True


def test_a_store_that_ignores_conditions_is_told(s3):
    store = Unconditional(s3["S3_ENDPOINT"], s3["AWS_ACCESS_KEY_ID"], s3["AWS_SECRET_ACCESS_KEY"])
    with pytest.raises(ServiceError, match="ignores the conditions") as caught, store_lock(store, LOCKS, "old"):
        pytest.fail("nothing was locked")
    assert "KOSPARSE_LOCKS" in caught.value.fix
