"""A service of ours as a process: start, ready, stop, and a clear word when it dies.

Every service listens on loopback, runs in a session of its own under ``guard.py`` and so ends with its
owner, whatever ends that. A state file lets another process stop it by pid and start time.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

import psutil

from kosparse.errors import ServiceError
from kosparse.jsonl import read_json, write_json
from kosparse.progress import Bar
from kosparse.services import guard
from kosparse.services.ports import is_listened_to_by

_LOG_LINES_SHOWN = 12
_POLL_SECONDS = 0.25
_GO_STACK = re.compile(r"^goroutine \d+ \[", re.MULTILINE)
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def new_secret() -> str:
    """A generated credential, 32 characters that need no quoting anywhere."""
    return secrets.token_urlsafe(24)


class Service:
    """One service process and its children.

    Args:
        name: Used for file names and messages.
        command: Program and arguments.
        ready_url: Answers with status 200 once the service can be used.
        folder: Where ``<name>.log``, ``<name>.state.json`` and ``<name>.lock`` are kept.
        environment: Added to ours; None removes a variable.
        owner_pid: The service ends when this process does; None means the calling process.
        grace_seconds: Time it gets to end by itself before it is killed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        ready_url: str,
        folder: Path,
        environment: Mapping[str, str | None] | None = None,
        owner_pid: int | None = None,
        grace_seconds: float = 10.0,
    ) -> None:
        self.name, self.command, self.ready_url = name, list(command), ready_url
        self.folder = folder
        self.log, self.state = folder / f"{name}.log", folder / f"{name}.state.json"
        self._environment = dict(environment or {})
        self._owner = psutil.Process(owner_pid)
        self._grace = grace_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **details: Any) -> None:
        """Start the process; returns at once.

        Args:
            details: Kept in the state file beside pid and start time, such as the address.

        Raises:
            ServiceError: It already runs in this folder, or the program is missing.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **self._environment}
        terms = [str(self._owner.pid), repr(self._owner.create_time()), str(self._grace)]
        command = [sys.executable, "-P", guard.__file__, *terms, "--", *self.command]
        if not _is_program(self.command[0]):
            raise ServiceError(
                f"{self.name}: the program is missing",
                where=self.command[0],
                fix="Run `bash requirements/setup.sh all`.",
            )
        with _lock(self) as lock, open(self.log, "wb") as log:
            self._process = subprocess.Popen(
                command,
                env={key: value for key, value in environment.items() if value is not None},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
        started = psutil.Process(self._process.pid).create_time()
        write_json(
            self.state,
            {**details, "name": self.name, "pid": self._process.pid, "started": started, "grace": self._grace},
        )

    def wait_ready(self, timeout: float) -> None:
        """Return once ``ready_url`` answers 200.

        Raises:
            ServiceError: The process died, or is not ready after ``timeout`` seconds; stopped in both cases.
        """
        bar = Bar(f"starting {self.name}", None, "s")
        deadline = time.monotonic() + timeout
        try:
            while not (answers(self.ready_url) and self._is_ours()):
                self.check()
                if time.monotonic() > deadline:
                    raise self._error(f"is not ready after {timeout:.0f} s")
                time.sleep(_POLL_SECONDS)
                bar.done = int(timeout - deadline + time.monotonic())
                bar.advance(0)
            self.check()
        except BaseException:
            self.stop()
            raise
        bar.close()

    def _is_ours(self) -> bool:
        """Whether it is this service that answers, not a stranger who took its port before it could bind it."""
        assert self._process is not None
        port = urllib.parse.urlsplit(self.ready_url).port
        return port is not None and is_listened_to_by(guard.session_members(self._process.pid), port)

    @property
    def pid(self) -> int | None:
        """Process id of the guard, which leads the service's session; None before it was started."""
        return self._process.pid if self._process else None

    def check(self) -> None:
        """Raise when the service has died.

        Raises:
            ServiceError: With the exit status and the last lines of its log.
        """
        if self._process is None:
            raise self._error("was not started")
        status = self._process.poll()
        if status is not None:
            raise self._error(f"ended with status {status}")

    def stop(self) -> bool:
        """End the service and its children; idempotent. True when something was stopped."""
        stopped = stop_recorded(self.state)
        if self._process is not None:
            self._process.wait()
        return stopped

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def _error(self, what: str) -> ServiceError:
        return ServiceError(
            f"{self.name} {what}; its log ends with:\n{tail(self.log)}",
            where=str(self.log),
            fix="Read the log, mend what it names, and run again: what was computed is kept.",
        )


def stop_recorded(state: Path) -> bool:
    """Stop the service a state file names, whoever started it; True when something was stopped.

    The pid counts only with its start time, so that no stranger with a reused pid is harmed.
    """
    if not state.is_file():
        return False
    record = read_json(state)
    pid, started = int(record["pid"]), float(record["started"])
    leader_gone = not psutil.pid_exists(pid)
    members = guard.session_members(pid) if leader_gone or guard.is_alive(pid, started) else []
    if guard.is_alive(pid, started):
        os.kill(pid, signal.SIGTERM)
    elif leader_gone:
        guard.kill_all(members)
    _, left = psutil.wait_procs(members, timeout=float(record["grace"]) + 3)
    guard.kill_all(left)
    psutil.wait_procs(left, timeout=5)
    state.unlink(missing_ok=True)
    return bool(members)


def answers(url: str) -> bool:
    """Whether a GET of this address is answered with status 200 within two seconds.

    While nobody listens, a connection to a port of loopback can by chance be one with itself, and the request
    comes back as its own answer: that is no HTTP, and no answer.
    """
    try:
        with _direct.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, ValueError, urllib.error.URLError, http.client.HTTPException):
        return False


def tail(log: Path, lines: int = _LOG_LINES_SHOWN) -> str:
    """The last lines of a log, indented; a note when there are none.

    Without the stack that a program in Go leaves behind: what it died of is the line above.
    """
    try:
        text = _GO_STACK.split(log.read_text(encoding="utf-8", errors="replace"), maxsplit=1)[0].strip()
    except OSError:
        text = ""
    return "\n".join("    " + line[:400] for line in (text or "(nothing)").splitlines()[-lines:])


def secret_file(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Read credentials, made and kept with mode 0600 on first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(make(), file, indent=2)
        os.replace(partial, path)
    values: dict[str, Any] = read_json(path)
    return values


def _is_program(name: str) -> bool:
    return os.path.isfile(name) and os.access(name, os.X_OK)


def _lock(service: Service) -> IO[str]:
    """Lock the service's folder. The guard inherits the open file, so the lock lives as long as it does."""
    path = service.folder / f"{service.name}.lock"
    lock = open(path, "w")  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise ServiceError(
            f"{service.name} already runs in this folder: another run uses it",
            where=str(service.folder),
            fix="Wait for that run to end or stop it, or choose another folder.",
        ) from None
    return lock
