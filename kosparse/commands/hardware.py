"""What this machine has: cores, memory and GPUs."""

from __future__ import annotations

import os
from dataclasses import dataclass

from kosparse.llm.memory import DeviceMemory, check_gpu_memory


@dataclass(frozen=True)
class Hardware:
    """A machine, as far as a run's time and memory follow from it."""

    cores: int
    """That this process may use, >= 1."""
    memory: DeviceMemory
    gpus: tuple[DeviceMemory, ...] = ()

    @property
    def roomiest(self) -> DeviceMemory:
        """Where a language model would go: the GPU with the most free memory, or the machine itself."""
        return max(self.gpus, key=lambda device: device.free, default=self.memory)

    def __str__(self) -> str:
        free = ", ".join(
            f"{device.device}: {device.free / 1e9:.1f} of {device.total / 1e9:.1f} GB"
            for device in (*self.gpus, self.memory)
        )
        return f"{self.counted_cores}; free memory of {free}"

    @property
    def counted_cores(self) -> str:
        """As in a sentence."""
        return f"{self.cores} {'core' if self.cores == 1 else 'cores'}"


def this_machine() -> Hardware:
    """The machine this process runs on."""
    *gpus, memory = check_gpu_memory()
    return Hardware(usable_cores(), memory, tuple(gpus))


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
