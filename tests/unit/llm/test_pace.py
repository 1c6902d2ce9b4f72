"""Additive increase, multiplicative decrease: worked by hand."""

import asyncio

import pytest

from kosparse.llm.pace import Pace
from kosparse.llm.server_metrics import parse_metrics


def in_loop(check):
    asyncio.run(check())


def test_a_refusal_halves_the_places_once_per_round():
    async def check():
        pace = Pace(16)
        sent = [await pace.enter() for _ in range(16)]
        for cuts in sent:
            pace.refused(cuts, wait=0.0)
        assert pace.limit == 8.0

        for _ in sent:
            pace.leave()
        pace.refused(await pace.enter(), wait=0.0)
        assert pace.limit == 4.0

    in_loop(check)


def test_a_round_of_answers_gives_about_one_place_more_and_never_more_than_there_are():
    pace = Pace(16)
    pace.limit = 4.0
    for _ in range(4):
        pace.answered()
    assert pace.limit == pytest.approx(4.9206, abs=1e-4)  # 4 + 1/4 + 1/4.25 + 1/4.4853 + 1/4.7082

    pace.limit = 15.99
    pace.answered()
    assert pace.limit == 16.0


def test_there_is_always_one_place():
    async def check():
        pace = Pace(4)
        for _ in range(9):
            pace.refused(pace.cuts, wait=0.0)
        assert pace.limit == 1.0
        await asyncio.wait_for(pace.enter(), 5)

    in_loop(check)


def test_nobody_enters_while_all_places_are_taken_or_the_server_asked_to_wait():
    async def check():
        pace = Pace(1)
        await pace.enter()
        second = asyncio.create_task(pace.enter())
        await asyncio.sleep(0.01)
        assert not second.done()
        pace.refused(0, wait=0.2)
        pace.leave()
        await asyncio.sleep(0.01)
        assert not second.done() and pace.in_flight == 0
        await asyncio.wait_for(second, 5)
        assert pace.in_flight == 1

    in_loop(check)


def test_a_queue_longer_than_the_batch_slows_down_only_while_it_grows():
    pace = Pace(100)
    pace.queue(waiting=30, running=64)
    assert pace.limit == 100
    pace.queue(waiting=70, running=64)
    assert pace.limit == 80
    pace.queue(waiting=66, running=64)
    assert pace.limit == 80


def test_metrics_of_several_engines_are_added_and_other_pages_are_none():
    page = (
        '# HELP x\nvllm:num_requests_waiting{engine="0"} 2.0\nvllm:num_requests_waiting{engine="1"} 3.0\n'
        'vllm:prefix_cache_queries_total{engine="0"} 10\nvllm:prefix_cache_hits_total{engine="0"} 4\n'
        'vllm:prefix_cache_hits_created{engine="0"} 1.7e9\n'
    )
    seen = parse_metrics(page)
    assert (seen.waiting, seen.running, seen.prefix_queries, seen.prefix_hits) == (5, 0, 10, 4)
    assert parse_metrics("<html>vllm</html>") is None
