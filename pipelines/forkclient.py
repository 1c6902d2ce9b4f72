"""``forkclient.py SOCKET -m MODULE ...``: what ``python -m MODULE ...`` does, in a fork of the server at the socket.

It gives its streams, folder, environment and arguments away, waits, and ends as the fork did. Where no server
answers, or something else than a module is to run, it becomes a Python itself. It imports little, for it runs before
every step.
"""

import json
import os
import socket
import sys


def main() -> int:
    """Have it run, and return the status to end with."""
    path, *arguments = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as connection:
        if arguments[:1] != ["-m"] or connection.connect_ex(path):
            os.execv(sys.executable, [sys.executable, *arguments])
        request = {"arguments": arguments[1:], "folder": os.getcwd(), "environment": dict(os.environ)}
        line = json.dumps(request).encode() + b"\n"
        socket.send_fds(connection, [line[:1]], [0, 1, 2])
        connection.sendall(line[1:])
        answer = b""
        while part := connection.recv(1):
            answer = part
    return answer[0] if answer else 128 + 9  # gone without a word: killed


if __name__ == "__main__":
    sys.exit(main())
