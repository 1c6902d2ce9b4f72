"""What a user is told when a build, a push or a pin cannot go on, and what the builder is asked for."""

import os
import shutil
import subprocess

import pytest

from tests.images.test_dockerfiles import ROOT

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.fixture
def clone(tmp_path):
    """A small clone with the scripts, the Dockerfiles and the locks, and a folder of stand-in programs."""
    for folder in ("images", "requirements"):
        shutil.copytree(ROOT / folder, tmp_path / "clone" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm first"):
        subprocess.run(["git", *command.split()], cwd=tmp_path / "clone", check=True)
    (tmp_path / "bin").mkdir()
    for name in ("docker", "podman", "buildah", "skopeo"):
        program(tmp_path, name, "exit 1")
    return tmp_path


def program(folder, name, does):
    path = folder / "bin" / name
    path.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    path.chmod(0o755)


def script(clone, *arguments, name="images.sh", **environment):
    shell = "sh" if name == "install.sh" else "bash"
    inherited = {key: value for key, value in os.environ.items() if key not in ("ENGINE", "BASE", "REGISTRY")}
    return subprocess.run(
        [shell, f"images/{name}", *arguments],
        cwd=clone / "clone",
        env={**inherited, **environment, "PATH": f"{clone / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def head(clone):
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone / "clone", capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_builder_is_given_the_dockerfile_the_commit_and_the_tag(clone):
    program(clone, "podman", f'echo "$@" >>{clone}/asked')

    done = script(clone, "build", "cpu", "local", BASE="mirror/python:3.11.14-slim-bookworm")

    assert done.returncode == 0, done.stderr
    _, cpu, local = (clone / "asked").read_text(encoding="utf-8").splitlines()
    sha = head(clone)
    assert cpu.startswith(f"build --build-arg GIT_SHA={sha} --file images/cpu/Dockerfile --tag kosparse-cpu:{sha[:12]}")
    assert "BASE=mirror/python:3.11.14-slim-bookworm" in cpu
    assert f"BASE=kosparse-cpu:{sha[:12]}" in local and "mirror" not in local


def test_tag_says_when_the_tree_is_more_than_the_commit(clone):
    assert script(clone, "tag").stdout.strip() == head(clone)[:12]
    (clone / "clone" / "images" / "sbom.py").write_text("changed", encoding="utf-8")

    assert script(clone, "tag").stdout.strip() == f"{head(clone)[:12]}-dirty"


def test_push_prints_what_the_pipeline_wants(clone):
    done = script(clone, "push", "cpu", ENGINE="true", REGISTRY="registry.example/team")

    assert f"KOSPARSE_IMAGE_CPU=registry.example/team/kosparse-cpu:{head(clone)[:12]}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["build", "cpu"], {}, "install one of them"),
        (["build", "tpu"], {"ENGINE": "true"}, "choose among cpu, gpu"),
        (["build", "cpu"], {"ENGINE": "false"}, "kosparse-cpu"),
        (["push", "cpu"], {"ENGINE": "true"}, "make push REGISTRY="),
        (["pull"], {}, "choose among build, push"),
        (["pin", "cpu"], {}, "nothing was written"),
    ],
)
def test_what_cannot_go_on_says_what_to_do(clone, arguments, environment, told):
    done = script(clone, *arguments, **environment)

    assert done.returncode == 1
    assert told in done.stderr and "to do:" in done.stderr


def test_missing_lock_is_named(clone):
    (clone / "clone" / "requirements" / "images" / "cpu.lock").unlink()

    done = script(clone, "build", "cpu", ENGINE="true")

    assert done.returncode == 1
    assert "requirements/images/cpu.lock" in done.stderr and "requirements/lock.sh" in done.stderr


def test_digest_is_the_one_the_registry_gives(clone):
    program(clone, "skopeo", f"echo {DIGEST}")

    assert script(clone, "pin", "cpu").returncode == 0
    first = (clone / "clone" / "images" / "cpu" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert f"ARG BASE=docker.io/library/python:3.11.14-slim-bookworm@{DIGEST}" in first


def test_what_is_no_digest_is_not_written(clone):
    program(clone, "skopeo", "echo unauthorized")
    before = (clone / "clone" / "images" / "cpu" / "Dockerfile").read_bytes()

    assert script(clone, "pin", "cpu").returncode == 1
    assert (clone / "clone" / "images" / "cpu" / "Dockerfile").read_bytes() == before


def install(clone, *arguments, **environment):
    for lock in (ROOT / "requirements" / "images").glob("*.lock"):
        shutil.copy(lock, clone / "clone" / "images")
    return script(clone, str(clone / "venv"), *arguments, name="install.sh", **environment)


def test_other_architecture_ends_the_build(clone):
    program(clone, "uname", "echo aarch64")

    done = install(clone, "10", "kfp.lock")

    assert done.returncode == 1 and "--platform linux/amd64" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["99999999", "kfp.lock"], "remove old images"), (["10", "no.lock"], "the lock file no.lock is missing")],
)
def test_no_space_and_a_missing_lock_end_the_build(clone, arguments, told):
    program(clone, "uname", "echo x86_64")

    done = install(clone, *arguments)

    assert done.returncode == 1 and told in done.stderr


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ERROR: No matching distribution found for kfp==2.17.0", "PIP_INDEX_URL"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "other bytes than were locked"),
        ("ERROR: Failed building wheel for kfp", "pip could not install  -r kfp.lock"),
    ],
)
def test_what_pip_cannot_do_ends_the_build_with_what_to_do(clone, said, told):
    program(clone, "uname", "echo x86_64")
    makes = f'mkdir -p "$3/bin" && cp {clone}/bin/pip "$3/bin/python"'
    program(clone, "python3", f'if [ "$1$2" = -mvenv ]; then {makes}; fi')
    program(clone, "pip", f'echo "{said}"; exit 1')

    done = install(clone, "10", "kfp.lock")

    assert done.returncode == 1 and said in done.stderr
    assert told in done.stderr.partition("image:")[2] and "to do:" in done.stderr


@pytest.mark.parametrize(
    ("programs", "told"),
    [
        ({"id": "echo 1000"}, "root is needed"),
        ({"uname": '[ "$1" = -s ] && echo Darwin || echo arm64'}, "this is Darwin on arm64"),
        ({"df": "printf 'head\\n/dev/vda 1 1 7 1%% /\\n'"}, "7 MB are free"),
        ({"debootstrap": "echo no such suite; exit 1"}, "debootstrap could not make the base"),
    ],
)
def test_where_images_cannot_be_tested_it_says_why(clone, programs, told):
    fit = {"id": "echo 0", "uname": '[ "$1" = -s ] && echo Linux || echo x86_64', "apt-get": "exit 1", "runc": "exit 1"}
    for name, does in {**fit, "debootstrap": "exit 1", **programs}.items():
        program(clone, name, does)

    done = script(clone, name="stand_in.sh", TMPDIR=str(clone))

    assert done.returncode == 1
    assert told in done.stderr and "to do:" in done.stderr
