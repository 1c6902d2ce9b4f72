"""What a training is doing can be seen while it runs, and a tracking server that fails stops nothing."""

import pytest

from kosparse.errors import ServiceError
from kosparse.sparse import curves as module
from kosparse.sparse.curves import Curves


class Clock:
    """Stands still unless it is told to go on."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    time = monotonic


class Server:
    """Keeps what it is sent; each call takes so many seconds, and fails while it is ``away``."""

    def __init__(self, clock, takes=0.0):
        self.clock, self.takes, self.away, self.calls = clock, takes, False, 0
        self.points = []

    def __call__(self, points):
        self.calls += 1
        self.clock.now += self.takes
        if self.away:
            raise ServiceError("the tracking server does not answer")
        self.points += points


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.delenv("KOSPARSE_EVENTS", raising=False)
    return clock


def step(curves, number, loss=1.0, examples=4):
    curves.take(number, {"loss": loss}, examples=examples, active_dims=150.4, learning_rate=3e-4)


def test_steps_between_two_points_are_joined(clock):
    server = Server(clock)
    curves = Curves(5.0, server)
    for number, loss in enumerate([1.0, 0.6, 0.5], start=1):
        clock.now += 2.0
        step(curves, number, loss)

    (point,) = server.points
    # Losses 1, .6 and .5 in 6 seconds, 4 queries each.
    assert (point.step, point.seconds) == (3, 106.0)
    assert point.metrics["loss"] == pytest.approx(0.7) and point.metrics["examples_per_second"] == pytest.approx(2.0)
    assert point.metrics["active_dims"] == 150.4 and point.metrics["learning_rate"] == 3e-4
    assert 0.01 < point.metrics["memory_gb"] < 100
    assert curves.line.startswith("loss 0.7, 150 active, rate 3.0e-04, 2 examples/s, ")


def test_a_server_that_is_away_is_said_once_and_gets_its_points_later(clock, capsys):
    server = Server(clock)
    curves, server.away = Curves(0.0, server), True
    for number in (1, 2, 3):
        clock.now += 1.0
        step(curves, number)
    assert capsys.readouterr().err.count("training goes on without its curves") == 1

    server.away = False
    step(curves, 4)
    assert [point.step for point in server.points] == [1, 2, 3, 4]
    curves.flush()
    assert server.calls == 4, "there is nothing left to send"


def test_a_slow_server_takes_a_tenth_of_the_time_at_most(clock):
    server = Server(clock, takes=3.0)
    curves = Curves(1.0, server)
    for number in range(1, 41):
        clock.now += 1.0
        step(curves, number)

    # The first call ends in second 4; the next may come 30 seconds later, in second 34.
    assert server.calls == 2
    curves.flush()
    assert [point.step for point in server.points] == list(range(1, 41))


def test_what_a_dead_server_misses_does_not_fill_memory(clock, monkeypatch):
    monkeypatch.setattr(module, "_MOST_WAITING", 2)
    server = Server(clock)
    curves, server.away = Curves(0.0, server), True
    for number in (1, 2, 3):
        step(curves, number)
    server.away = False
    curves.flush()
    assert [point.step for point in server.points] == [2, 3]


def test_without_a_server_there_is_a_line(clock):
    curves = Curves(0.0)
    assert curves.line == ""
    step(curves, 1)
    curves.flush()
    assert curves.line.startswith("loss 1,")
