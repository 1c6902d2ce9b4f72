"""Free ports of loopback for the services that are started here."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

from kosparse.errors import ServiceError

LOOPBACK = "127.0.0.1"
_PORTS = range(10000, 22768)
"""Below those that Linux gives to connections, and so are the ports 10,000 above them, which the S3 store uses too."""
_TAKEN = ("address already in use", "address in use", "errno 98", "port allocation failed")

Started = TypeVar("Started")


def free_port() -> int:
    """A loopback port that is free now. Another process may take it before its user binds it: see ``retry_ports``."""
    return free_ports(1)[0]


def free_ports(count: int, *also: int) -> list[int]:
    """So many loopback ports that are free now, and so are the ports at these distances above each; all different.

    Raises:
        ServiceError: There are not so many.
    """
    chosen: list[int] = []
    reserved: set[int] = set()
    for _ in range(200 * count):
        port = secrets.choice(_PORTS)
        needed = {port + distance for distance in (0, *also)}
        if reserved.isdisjoint(needed) and all(_is_free(one) for one in needed):
            chosen.append(port)
            reserved |= needed
        if len(chosen) == count:
            return chosen
    raise ServiceError("no free port was found", where=LOOPBACK, fix="Stop some of the programs that listen.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_listened_to_by(processes: Iterable[psutil.Process], port: int) -> bool:
    """Whether one of these processes, all of one user, listens on this port."""
    return any(port in _listening(process) for process in processes)


def _listening(process: psutil.Process) -> set[int]:
    try:
        return {link.laddr.port for link in process.net_connections("tcp") if link.status == psutil.CONN_LISTEN}
    except psutil.NoSuchProcess:
        return set()


def retry_ports(start: Callable[[], Started], attempts: int = 3) -> Started:
    """Call ``start``, which chooses free ports; again when someone else took one of them meanwhile."""
    for _ in range(attempts - 1):
        try:
            return start()
        except ServiceError as error:
            if not any(words in str(error).lower() for words in _TAKEN):
                raise
    return start()
