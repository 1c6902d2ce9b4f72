"""Runs a service and ends it when its owner is gone, however the owner went.

A file of its own, run as a script by ``process.Service``:
``guard.py OWNER OWNER_STARTED GRACE_SECONDS -- COMMAND ...``.
It leads the session that the service and all its children live in. When the owner has ended (even by
SIGKILL) or the guard gets SIGTERM, it ends the command, then whatever else is left of the session.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from types import FrameType

import psutil

_POLL_SECONDS = 0.5
_CLOCK_SLACK = 2.0
"""A start time is counted from the boot time, which moves when the clock is set."""
_PR_SET_PDEATHSIG = 1


def session_members(session: int) -> list[psutil.Process]:
    """The living processes of a session."""
    members = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue
    return members


def is_alive(pid: int, started: float) -> bool:
    """Whether this very process still runs: a pid alone may have been given to another."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - started) < _CLOCK_SLACK
    except psutil.Error:
        return False


def kill_all(processes: list[psutil.Process]) -> None:
    """Send SIGKILL to each; those that are gone already are fine."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def _die_with_guard() -> None:
    """In the child, on Linux: get SIGKILL should the guard itself be killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def run(owner: int, owner_started: float, grace: float, command: list[str]) -> int:
    """Run the command until it ends, the owner is gone or SIGTERM comes; return its exit status.

    Args:
        owner: Process id whose end ends the command.
        owner_started: Start time of that process, seconds since 1970.
        grace: Seconds between SIGTERM and SIGKILL.
        command: Program and arguments.
    """
    asked = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ask)
    child = subprocess.Popen(command, preexec_fn=_die_with_guard)
    while child.poll() is None and not asked and is_alive(owner, owner_started):
        time.sleep(_POLL_SECONDS)
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            child.kill()
    kill_all([process for process in session_members(os.getpid()) if process.pid != os.getpid()])
    return child.wait()


if __name__ == "__main__":
    status = run(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[5:])
    sys.exit(status if status >= 0 else 128 - status)
