"""A server the local runner started: watched and stopped by its state file, and no other."""

import sys
import time

import psutil
import pytest

from kosparse.adapters.llm_server_local import LocalLlmServer
from kosparse.errors import ServiceError
from kosparse.ports import LlmEndpoint
from kosparse.services.process import Service

ENDPOINT = LlmEndpoint("http://127.0.0.1:1/v1", "model")


@pytest.fixture
def service(tmp_path):
    sleeper = [sys.executable, "-c", "print('loading weights', flush=True); import time; time.sleep(60)"]
    with Service("llm", sleeper, ready_url="http://127.0.0.1:1/", folder=tmp_path) as service:
        service.start()
        yield service


def test_it_is_stopped_once_from_anywhere(service):
    server = LocalLlmServer(ENDPOINT, service.state)
    server.check()

    assert server.stop() is True
    assert not psutil.pid_exists(service.pid) or psutil.Process(service.pid).status() == psutil.STATUS_ZOMBIE
    assert server.stop() is False


def test_a_server_that_has_ended_is_noticed(service):
    server = LocalLlmServer(ENDPOINT, service.state)
    service.stop()

    with pytest.raises(ServiceError, match="has ended"):
        server.check()


def test_its_log_can_be_read(service):
    deadline = time.monotonic() + 20
    while "loading weights" not in LocalLlmServer(ENDPOINT, service.state).log():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_given_server_is_left_alone():
    server = LocalLlmServer(ENDPOINT, None)
    server.check()
    assert server.log() == ""

    assert server.start() == ENDPOINT
    assert server.stop() is False
