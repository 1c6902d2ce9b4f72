"""One interpreter that has imported the frameworks, forked for every step of a run on this machine.

A step's process spends up to seven seconds of processor time on importing torch and sentence-transformers, more
than on a small collection's work. ``with ForkServer() as python`` names a program that does what ``python`` does,
but ``python -m`` in a fork of that interpreter (docs/adr/0018-forked-steps.md); it runs ``pipelines/forkclient.py``.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import runpy
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn

PRELOADED = ("sentence_transformers", "kfp.dsl.executor")
CLIENT = Path(__file__).with_name("forkclient.py")


class ForkServer:
    """The interpreter, in a process of its own in our process group, for as long as the ``with`` lasts.

    Args:
        modules: What it imports before it answers.
    """

    def __init__(self, modules: Sequence[str] = PRELOADED) -> None:
        self._modules = modules

    def __enter__(self) -> str:
        self._folder = tempfile.TemporaryDirectory(prefix="kosparse-fork-")
        path = Path(self._folder.name) / "socket"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        number = self._listener.fileno()
        # NVML answers whether there is a GPU: asked otherwise, CUDA starts, and does not work in a fork.
        environment = {**os.environ, "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
        command = [sys.executable, "-m", "pipelines.forkserver", str(number), *self._modules]
        self._process = subprocess.Popen(command, pass_fds=[number], env=environment, stdin=subprocess.DEVNULL)
        self._listener.close()
        program = path.with_name("python")
        program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-I", "-S", str(CLIENT), str(path)])} "$@"\n')
        program.chmod(0o700)
        return str(program)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()


def serve(listener: socket.socket, modules: Sequence[str]) -> NoReturn:
    """Answer every connection with a fork that becomes the Python asked for."""
    for name in modules:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks: their clients do
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _become(connection)
        connection.close()


def _become(connection: socket.socket) -> NoReturn:
    """Take the client's place: its streams, folder, environment and arguments; tell it how that ended.

    The connection stays open until the process is gone, which is what the client waits for.
    """
    first, streams, _, _ = socket.recv_fds(connection, 1, 3)  # no more than comes with them: the rest is read below
    with connection.makefile("rb") as rest:
        request = json.loads(first + rest.readline())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    random.seed()
    code = 1
    try:
        code = _run_module(request["arguments"])
    finally:
        sys.stdout.flush()
        connection.sendall(bytes([code]))
    sys.exit(code)


def _run_module(arguments: list[str]) -> int:
    """What ``python -m MODULE ...`` does, and the status it would end with."""
    module, *sys.argv[1:] = arguments
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return (ended.code or 0) & 0xFF
        print(ended.code, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
