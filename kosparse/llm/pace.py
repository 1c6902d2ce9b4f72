"""How many requests may be in flight: more while all goes well, fewer when the server is overrun.

Additive increase, multiplicative decrease, as TCP does it (Chiu and Jain, 1989). Overrun shows as status
429 or 503, or as a queue in the server that is longer than its batch and still growing.
"""

from __future__ import annotations

import asyncio
from collections import deque

_CUT, _EASE = 0.5, 0.8


class Pace:
    """Places for requests in flight. All methods belong to one event loop.

    Args:
        most: Places there are at best, >= 1.
    """

    def __init__(self, most: int) -> None:
        self.most, self.limit = most, float(most)
        """``limit``: places there are now, 1 to ``most``; a fraction counts for nothing until it is whole."""
        self.in_flight = self.cuts = 0
        self._resume_at = 0.0
        self._waiting_before = 0.0
        self._sleepers: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> int:
        """Wait for a place; return how often the limit had been cut when it was taken."""
        loop = asyncio.get_running_loop()
        while self.in_flight >= int(self.limit) or loop.time() < self._resume_at:
            sleeper = loop.create_future()
            self._sleepers.append(sleeper)
            await sleeper
        self.in_flight += 1
        return self.cuts

    def leave(self) -> None:
        """Give the place back."""
        self.in_flight -= 1
        self._wake()

    def answered(self) -> None:
        """A request was answered: one place more per round of requests."""
        self.limit = min(float(self.most), self.limit + 1.0 / self.limit)

    def refused(self, cuts_when_sent: int, wait: float) -> None:
        """The server said it has too much to do: half the places, and nothing is sent for ``wait`` seconds.

        A round of requests sent before the last cut says nothing new and cuts only once.
        """
        if cuts_when_sent == self.cuts:
            self.cuts += 1
            self.limit = max(1.0, self.limit * _CUT)
        loop = asyncio.get_running_loop()
        self._resume_at = max(self._resume_at, loop.time() + wait)
        loop.call_later(wait, self._wake)

    def queue(self, waiting: float, running: float) -> None:
        """The server's queue was seen: a fifth fewer places when it is longer than the batch and grows."""
        if waiting > max(running, 1.0) and waiting > self._waiting_before:
            self.limit = max(1.0, self.limit * _EASE)
        self._waiting_before = waiting

    def _wake(self) -> None:
        free = int(self.limit) - self.in_flight
        while free > 0 and self._sleepers:
            sleeper = self._sleepers.popleft()
            if not sleeper.done():
                sleeper.set_result(None)
                free -= 1
