"""A program that does what Python does, but in a fork of an interpreter that has imported a lot."""

import json
import os
import signal
import subprocess
import time

import psutil
import pytest

from pipelines import forkserver

MODULE = """
import json, os, sys
said = {"argv": sys.argv[1:], "folder": os.getcwd(), "NAME": os.environ.get("NAME"), "name": __name__}
where = {"pid": os.getpid(), "parent": os.getppid(), "loaded": "colorsys" in sys.modules, "in": sys.stdin.read()}
print(json.dumps(said | where))
print("told", file=sys.stderr)
sys.exit({"fine": 0, "three": 3, "text": "words", "none": None}[sys.argv[1]])
"""


@pytest.fixture
def python(monkeypatch, tmp_path):
    """The program; the module ``said`` can be run by it."""
    (tmp_path / "said.py").write_text(MODULE)
    (tmp_path / "kept.py").write_text("import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.getcwd()}")
    with forkserver.ForkServer(["colorsys"]) as program:
        yield program


def run(python, *words, **options):
    done = subprocess.run([python, *words], capture_output=True, text=True, timeout=60, check=False, **options)
    return done, json.loads(done.stdout) if done.stdout.startswith("{") else None


def test_a_module_has_its_callers_streams_folder_environment_and_arguments(python, tmp_path):
    environment = {**os.environ, "NAME": "시트 🎉"}
    words = ["fine", "셀 보호", "x" * 100_000]
    done, said = run(python, "-m", "said", *words, cwd=tmp_path, env=environment, input="들어온 것")
    assert done.returncode == 0 and done.stderr == "told\n"
    assert said["argv"] == words and said["folder"] == str(tmp_path)
    assert (said["NAME"], said["in"], said["name"]) == ("시트 🎉", "들어온 것", "__main__")
    assert said["loaded"]


@pytest.mark.parametrize(("end", "status"), [("fine", 0), ("none", 0), ("three", 3), ("text", 1), ("KeyError", 1)])
def test_it_ends_as_the_module_ends(python, end, status):
    done, _ = run(python, "-m", "said", end, input="")
    assert done.returncode == status
    assert ("words\n" in done.stderr) == (end == "text")
    assert done.stderr.endswith("KeyError: 'KeyError'\n") == (end == "KeyError")


def test_one_after_the_other_and_beside_each_other_they_do_not_know_of_each_other(python):
    waiting = subprocess.Popen([python, "-m", "kept"], stdout=subprocess.PIPE, text=True)
    process = int(waiting.stdout.readline())
    said = [run(python, "-m", "said", "fine", input="")[1] for _ in range(2)]
    assert said[0]["pid"] != said[1]["pid"] and said[0]["parent"] == said[1]["parent"]
    os.kill(process, signal.SIGKILL)
    assert waiting.wait(timeout=20) == 137, "who is killed says nothing"


def test_other_words_and_a_server_that_is_gone_are_a_python_as_any(python):
    assert run(python, "-c", "import sys; sys.exit(5)")[0].returncode == 5
    _, said = run(python, "-m", "said", "fine", input="")
    psutil.Process(said["parent"]).kill()
    deadline = time.monotonic() + 20
    while psutil.Process(said["parent"]).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    done, alone = run(python, "-m", "said", "fine", input="")
    assert done.returncode == 0 and not alone["loaded"] and alone["parent"] == os.getpid()


def test_nothing_is_left_when_it_ends():
    with forkserver.ForkServer([]) as python:
        (process,) = psutil.Process().children()
        assert os.path.exists(python)
    assert not psutil.pid_exists(process.pid) and not os.path.exists(os.path.dirname(python))
