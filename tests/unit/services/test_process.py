"""A service as a process: it comes up, is told apart, and never outlives its owner."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from kosparse.errors import ServiceError
from kosparse.services import guard, process
from kosparse.services.ports import free_port
from kosparse.services.process import Service, secret_file, stop_recorded

ROOT = Path(__file__).parents[3]

SERVER = textwrap.dedent(
    """
    import http.server, subprocess, sys
    print("listening", flush=True)
    if len(sys.argv) > 2:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200); self.end_headers()
        def log_message(self, *arguments):
            pass
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
    """
)


def server(folder, *more: str, **options) -> Service:
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(port), *more]
    return Service("toy", command, ready_url=f"http://127.0.0.1:{port}/", folder=folder, grace_seconds=2, **options)


def gone(pids, within: float = 10.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
            return True
        time.sleep(0.1)
    return False


def test_it_answers_once_ready_and_is_gone_with_its_children_once_stopped(tmp_path):
    with server(tmp_path, "with a child") as service:
        service.start()
        service.wait_ready(30)
        assert process.answers(service.ready_url)
        pids = [member.pid for member in guard.session_members(service.pid)]
        assert len(pids) == 3, "guard, server and the server's child"
    assert gone(pids, within=1)
    assert service.stop() is False, "stopping twice does no harm"


def test_what_speaks_no_http_does_not_answer():
    """As a connection with itself does: what comes back is the request."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def echo():
            connection, _ = listening.accept()
            with connection:
                connection.sendall(connection.recv(4096))

        thread = threading.Thread(target=echo)
        thread.start()
        assert process.answers(f"http://127.0.0.1:{listening.getsockname()[1]}/health") is False
        thread.join()


def test_the_log_is_kept(tmp_path):
    with server(tmp_path) as service:
        service.start()
        service.wait_ready(30)
    assert (tmp_path / "toy.log").read_text() == "listening\n"


def test_a_service_that_dies_says_so_with_the_end_of_its_log(tmp_path):
    command = [sys.executable, "-c", "import sys; print('no such model: x'); sys.exit(7)"]
    service = Service("toy", command, ready_url="http://127.0.0.1:9/", folder=tmp_path)
    service.start()

    with pytest.raises(ServiceError, match=r"(?s)toy ended with status 7.*no such model: x") as caught:
        service.wait_ready(30)
    assert caught.value.where == str(tmp_path / "toy.log")


def test_one_that_dies_later_is_found_by_check(tmp_path):
    with server(tmp_path) as service:
        service.start()
        service.wait_ready(30)
        service.check()
        for member in guard.session_members(service.pid):
            if member.pid != service.pid:
                member.kill()
        assert gone([service.pid])
        with pytest.raises(ServiceError, match="ended with status 137"):
            service.check()


def test_one_that_never_gets_ready_is_stopped(tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    service = Service("toy", command, ready_url="http://127.0.0.1:9/", folder=tmp_path, grace_seconds=1)
    service.start()
    pid = service.pid

    with pytest.raises(ServiceError, match="not ready after 1 s"):
        service.wait_ready(1)
    assert gone([pid], within=1)


def test_one_that_ignores_sigterm_is_killed_after_its_grace(tmp_path):
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    service = Service("toy", [sys.executable, "-c", code], ready_url="", folder=tmp_path, grace_seconds=0.5)
    service.start()
    while "up" not in service.log.read_text():
        time.sleep(0.05)
    pids = [member.pid for member in guard.session_members(service.pid)]

    assert service.stop() is True
    assert gone(pids, within=1)


def test_a_second_one_in_the_same_folder_is_refused_until_the_first_has_stopped(tmp_path):
    with server(tmp_path) as first:
        first.start()
        with pytest.raises(ServiceError, match="already runs in this folder"):
            server(tmp_path).start()
    with server(tmp_path) as again:
        again.start()


def test_a_missing_program_is_named_with_what_to_do(tmp_path):
    with pytest.raises(ServiceError, match="program is missing") as caught:
        Service("toy", ["/nowhere/weed"], ready_url="", folder=tmp_path).start()
    assert "/nowhere/weed" in caught.value.where and "setup.sh" in caught.value.fix


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_owner_is_killed(tmp_path, end):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdout is not None
    pids = json.loads(owner.stdout.readline())
    assert len(pids) == 3
    owner.send_signal(end)
    owner.wait(30)
    assert gone(pids)


OWNER = textwrap.dedent(
    """
    import json, pathlib, signal, sys, time
    from kosparse.services import guard
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
    from tests.unit.services.test_process import server
    service = server(pathlib.Path(sys.argv[1]), "with a child")
    service.start()
    service.wait_ready(30)
    print(json.dumps([member.pid for member in guard.session_members(service.pid)]), flush=True)
    time.sleep(600)
    """
)


def test_the_service_is_killed_even_when_its_guard_is(tmp_path):
    service = server(tmp_path)
    service.start()
    service.wait_ready(30)
    pids = [member.pid for member in guard.session_members(service.pid)]

    os.kill(service.pid, signal.SIGKILL)

    assert gone(pids)
    assert service.stop() is False


def test_another_process_can_stop_it_by_its_state_file(tmp_path):
    service = server(tmp_path)
    service.start(address="http://x")
    service.wait_ready(30)
    state = json.loads(service.state.read_text())
    assert state["address"] == "http://x" and state["pid"] == service.pid

    assert stop_recorded(service.state) is True
    assert stop_recorded(service.state) is False
    service.stop()


def test_a_reused_pid_is_not_harmed(tmp_path):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        state = tmp_path / "toy.state.json"
        state.write_text(json.dumps({"pid": stranger.pid, "started": time.time() - 3600, "grace": 0.1}))

        assert stop_recorded(state) is False
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_stranger_who_answers_at_its_port_is_not_taken_for_it(tmp_path):
    with server(tmp_path / "stranger") as stranger:
        stranger.start()
        stranger.wait_ready(30)
        sleeps = [sys.executable, "-c", "import time; time.sleep(2); print('address already in use'); exit(1)"]
        with Service("toy", sleeps, ready_url=stranger.ready_url, folder=tmp_path) as service:
            service.start()
            with pytest.raises(ServiceError, match="address already in use"):
                service.wait_ready(30)


def test_what_a_program_in_go_died_of_is_shown_not_its_stack(tmp_path):
    stack = "goroutine 317 [running]:\n" + "\n".join(f"frame{n}(...)" for n in range(40))
    (tmp_path / "log").write_text(f"started\nlisten tcp 127.0.0.1:51244: bind: address already in use\n{stack}\n")
    assert process.tail(tmp_path / "log").splitlines()[-1].endswith("address already in use")


def test_credentials_are_made_once_and_readable_by_their_owner_only(tmp_path):
    path = tmp_path / "deep" / "keys.json"

    made = secret_file(path, lambda: {"key": process.new_secret()})

    assert secret_file(path, lambda: {"key": "another"}) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(made["key"]) == 32
