"""The report and the page to judge on, as a person sees and uses them: wide and narrow, light and dark, by keys."""

import json
import shutil
import struct

import pytest

from kosparse.evaluation.labelling import pool, read_judged, render
from tests.browser import Browser
from tests.fakes.tiny_sparse_encoder import write_tiny_sparse_encoder
from tests.unit.evaluation.world import FakeEmbedder, write_finished_run

RUNS = [{"q1": [("a", 3.0), ("b", 2.0)], "q2": [("a", 1.0)]}]
WORDS = {"a": ("셀 보호", "셀을 보호합니다. " * 200), "b": ("", "https://" + "아주긴주소" * 60)}
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
TOO_WIDE = """[...document.querySelectorAll('body *')]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('.table'))
  .map((each) => each.tagName + ' ' + each.className)"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if shutil.which("chromium") is None:
        pytest.skip("no chromium on this machine to draw the pages; what they hold is tested as text elsewhere")
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Addresses of both pages."""
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kosparse.adapters.embedder.open_embedder", FakeEmbedder)
        for name in ("MLFLOW_TRACKING_URI", "KOSPARSE_RUN_ID", "S3_ENDPOINT"):
            patch.delenv(name, raising=False)
        run = write_finished_run(folder, write_tiny_sparse_encoder(folder / "encoder"))
    shutil.copyfile(run / "outputs" / "kosparse" / "report" / "html", folder / "report.html")
    asked = {"q1": "셀 보호", "q2": "표를 넣는 법"}
    (folder / "label.html").write_text(render(pool(RUNS, list(asked), 2, seed=13), asked, WORDS), encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in ("report", "label")}


@pytest.mark.parametrize("name", ["report", "label"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window_in_light_and_dark(browser, pages, tmp_path, name, width):
    browser.open(pages[name])
    seen = []
    for dark in (False, True):
        picture = tmp_path / f"{dark}.png"
        browser.picture(picture, width, 900, dark=dark)
        assert struct.unpack(">2I", picture.read_bytes()[16:24]) == (width, 900)
        assert browser.tell("innerWidth") == width
        assert browser.tell("document.documentElement.scrollWidth") <= width
        assert browser.tell(TOO_WIDE) == []
        seen.append((browser.tell(BACKGROUND), picture.read_bytes()))
    assert seen[0][0] != seen[1][0] and seen[0][1] != seen[1][1], "dark looks as light does"


def test_judgements_are_made_kept_and_saved_by_keys_alone(browser, pages, tmp_path):
    browser.download_to(tmp_path)
    browser.open(pages["label"])
    shown = [browser.tell("document.getElementById('title').textContent")]
    browser.press("2")
    shown.append(browser.tell("document.getElementById('title').textContent"))
    browser.press("ArrowLeft")
    assert browser.tell("document.querySelector('[aria-pressed=true]').dataset.grade") == "2"
    browser.press("1", "0", "ArrowRight")
    assert browser.tell("document.getElementById('count').textContent").startswith("2 / 3")

    browser.open(pages["label"])  # a window that was closed
    assert browser.tell("document.getElementById('query').textContent") == "표를 넣는 법"
    browser.press("2", "s")
    saved = browser.saved(tmp_path / "judgements.json")

    names = ["a" if title == "셀 보호" else "b" for title in shown]
    assert sorted(names) == ["a", "b"]
    assert read_judged([saved]).judgements == {"q1": {names[0]: 1, names[1]: 0}, "q2": {"a": 2}}
    assert json.loads(saved.read_text(encoding="utf-8"))["queries"] == {"q1": "셀 보호", "q2": "표를 넣는 법"}
