"""One training in several processes, started by torchrun: each reads its share of the passages, all see the batch.

Every process draws the same batch and computes the same loss over all of it, so that in-batch negatives and FLOPS
mean what they mean in one process. The gradient flows back through a process's own passages; the sum over processes
is that of the batch. With one process nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from kosparse.errors import ServiceError

Item = TypeVar("Item")

_LOST = ("gloo", "nccl", "connection closed by peer", "connection reset")
_SECONDS = 600
"""A process that waits longer for the others ends with an error."""


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes torchrun has started, if it has; torchrun ends all when one dies."""
    if not distributed.is_torchelastic_launched() or distributed.is_initialized():
        yield
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(distributed.get_node_local_rank(0) % torch.cuda.device_count())
    distributed.init_process_group(backend, timeout=timedelta(seconds=_SECONDS))
    try:
        yield
        distributed.barrier()
    except RuntimeError as error:
        if not any(word in str(error).lower() for word in _LOST):
            raise
        raise ServiceError(
            f"another process of the training has ended: {str(error).splitlines()[0]}",
            where=f"process {rank()} of {processes()}",
            fix="Look at the first error of the other processes. Started again, training goes on from its checkpoint.",
        ) from error
    finally:
        distributed.destroy_process_group()


def processes() -> int:
    """How many there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def share(items: Sequence[Item]) -> Sequence[Item]:
    """This process's part: every so manieth."""
    return items[rank() :: processes()]


def gather(own: Tensor, total: int) -> Tensor:
    """Rows of all processes in the order before ``share``; the gradient flows through this one's.

    Args:
        own: What this process made of its share: shape [its rows, columns], on the CPU.
        total: Rows of all processes.
    """
    if processes() == 1:
        return own
    most = -(-total // processes())
    padded = own.new_zeros(most, own.shape[1])
    padded[: len(own)] = own.detach()
    parts = [torch.empty_like(padded) for _ in range(processes())]
    distributed.all_gather(parts, padded)
    rows = torch.stack(parts, dim=1).flatten(0, 1)[:total]
    places = torch.arange(rank(), total, processes())
    return rows.index_copy(0, places, own)


def add_up(parameters: Iterable[nn.Parameter], factor: float = 1.0) -> None:
    """Replace gradients by their sum over processes, times a factor; one that is missing counts as zero."""
    if processes() == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        distributed.all_reduce(parameter.grad)
        parameter.grad.mul_(factor)


def any_of(found: bool) -> bool:
    """Whether it is so in any process: what all must decide alike is asked here."""
    if processes() == 1:
        return found
    flag = torch.tensor(int(found))
    distributed.all_reduce(flag, distributed.ReduceOp.MAX)
    return bool(flag)


def from_first(value: Any) -> Any:
    """What the first process holds, in all of them."""
    if processes() == 1:
        return value
    held = [value]
    distributed.broadcast_object_list(held, src=0)
    return held[0]
