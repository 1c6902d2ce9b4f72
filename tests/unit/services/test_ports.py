import socket

import psutil
import pytest

from kosparse.errors import ServiceError
from kosparse.services import ports
from kosparse.services.ports import free_ports, is_listened_to_by, retry_ports


def test_free_ports_can_be_bound_together_with_those_above_them():
    (port,) = free_ports(1, 10000)
    with socket.socket() as low, socket.socket() as high:
        low.bind(("127.0.0.1", port))
        high.bind(("127.0.0.1", port + 10000))


def test_no_port_is_given_twice_nor_one_that_another_needs_above_it(monkeypatch):
    monkeypatch.setattr(ports, "_PORTS", (10001, 10101, 10201, 10301))
    for _ in range(20):
        first, second = free_ports(2, 100)
        assert {first, first + 100}.isdisjoint({second, second + 100})


def test_when_none_is_left_it_says_so(monkeypatch):
    monkeypatch.setattr(ports, "_PORTS", (10001,))
    with pytest.raises(ServiceError, match="no free port"):
        free_ports(2)


def test_ports_and_those_far_above_them_are_not_those_that_linux_gives_to_connections():
    assert all(free_ports(1, 10000)[0] + 10000 < 32768 for _ in range(50))


def test_a_port_is_listened_to_by_the_process_that_listens():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert not is_listened_to_by([psutil.Process()], port)
        listener.listen()
        assert is_listened_to_by([psutil.Process()], port)
        assert not is_listened_to_by([], port)


@pytest.mark.parametrize("words", ["bind: address already in use", "Port allocation failed: port 1 for S3"])
def test_a_taken_port_is_tried_again_with_another_and_any_other_error_is_not(words):
    tries = []

    def start():
        tries.append(1)
        if len(tries) < 3:
            raise ServiceError(words)
        return "up"

    assert retry_ports(start) == "up" and len(tries) == 3

    def broken():
        tries.append(1)
        raise ServiceError("out of memory")

    with pytest.raises(ServiceError, match="out of memory"):
        retry_ports(broken)
    assert len(tries) == 4
