"""Where a network computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def best_device() -> str:
    """A GPU where torch finds one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def moved(network: Any, device: str) -> Iterator[None]:
    """A network on another device for a while; afterwards it is back on the CPU.

    Args:
        network: Whose parameters move.
        device: A torch device.
    """
    network.to(device)
    try:
        yield
    finally:
        network.to("cpu")
