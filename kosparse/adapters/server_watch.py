"""A look at a server's own metrics now and then, while it works for us."""

from __future__ import annotations

import asyncio

import httpx

from kosparse.llm.pace import Pace
from kosparse.llm.server_metrics import ServerMetrics, metrics_address, parse_metrics

_SECONDS_BETWEEN_LOOKS = 2.0
_PATIENCE = 2.0


class ServerWatch:
    """Slows the pace when the server's queue grows, and counts what its prefix cache saved.

    A server without vLLM's metrics is looked at once and left alone.
    """

    def __init__(self, base_url: str, pace: Pace) -> None:
        self.prefix_queries = self.prefix_hits = 0.0
        """Prompt tokens looked up, and found, between the first look and the last."""
        self._address, self._pace = metrics_address(base_url), pace
        self._before: ServerMetrics | None = None
        # Loading the certificates costs more than all looks together.
        self._client = httpx.AsyncClient(timeout=_PATIENCE, verify=self._address.startswith("https:"))

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def look(self) -> bool:
        """Look once; False when there is nothing to see."""
        try:
            response = await self._client.get(self._address)
        except httpx.HTTPError:
            return False
        seen = parse_metrics(response.text) if response.status_code == 200 else None
        if seen is None:
            return False
        if self._before is not None:
            # A server that was started anew counts from 0 again.
            self.prefix_queries += max(seen.prefix_queries - self._before.prefix_queries, 0.0)
            self.prefix_hits += max(seen.prefix_hits - self._before.prefix_hits, 0.0)
        self._before = seen
        self._pace.queue(seen.waiting, seen.running)
        return True

    async def follow(self) -> None:
        """Look every two seconds until cancelled."""
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            await self.look()
