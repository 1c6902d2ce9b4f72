"""Errors a user can act on: what was found, where, and what to do.

``assert`` guards our own invariants; everything here is meant for the person who runs kosparse.
The command line turns ``exit_code`` into the process's status.
"""

from __future__ import annotations


class KosparseError(Exception):
    """Base of every error kosparse raises on purpose.

    Args:
        what: What was found, in one sentence.
        where: The file, line, service or setting concerned.
        fix: What the reader can do about it.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The error as printed: one line each for what, where and what to do."""
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  to do: {self.fix}")
        return "\n".join(lines)


class InputError(KosparseError):
    """Data that cannot be used: missing, malformed, empty, of the wrong kind."""

    exit_code = 2


class ConfigError(InputError):
    """A setting that does not exist or has a value it cannot have."""


class ServiceError(KosparseError):
    """A service that is missing, refuses us, or died."""

    exit_code = 3


class ResourceError(KosparseError):
    """Too little disk, memory or time."""

    exit_code = 4
