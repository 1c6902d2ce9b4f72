import json
import shutil
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from urllib.parse import quote

import pytest

from kosparse.commands.serve import LONGEST_QUERY, make_server
from kosparse.commands.side_by_side import SideBySide, excerpt_of
from kosparse.errors import ServiceError
from kosparse.jsonl import write_records
from kosparse.records import Document, Passage
from tests.browser import Browser
from tests.fakes.tiny_sparse_encoder import TEXTS, write_tiny_morpheme_encoder


@pytest.fixture(scope="module")
def searcher(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    documents = [Document(id=f"d{place}", text=text) for place, text in enumerate(TEXTS)]
    documents[0] = documents[0].model_copy(update={"title": "<b>셀</b>", "url": "javascript:alert(1)"})
    documents[1] = documents[1].model_copy(update={"url": "https://docs.example/table"})
    write_records(run / "documents.jsonl", documents)
    write_records(
        run / "passages.jsonl",
        [Passage(id=f"{row.id}#0", document_id=row.id, position=0, text=row.searched) for row in documents],
    )
    write_tiny_morpheme_encoder(run / "made").rename(run / "model")
    return SideBySide(run)


@contextmanager
def served(searcher):
    with make_server(searcher, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def _get(address, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def test_a_query_is_answered_by_both_systems_with_the_terms_that_matched(searcher):
    with served(searcher) as address:
        status, headers, body = _get(f"{address}/search?q={quote('셀 보호')}&k=2")
    found = json.loads(body)
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    assert {term["term"] for term in found["terms"]} == {"셀", "보호"}
    first = found["bm25"][0]
    assert first["id"] == "d0" and {term["term"] for term in first["matched"]} == {"셀", "보호"}
    assert first["url"] is None  # javascript: is no address
    assert 1 <= len(found["sparse"]) <= 2
    for result in found["sparse"]:
        assert result["score"] == pytest.approx(sum(term["weight"] for term in result["matched"]), abs=0.02)


def test_the_page_loads_nothing_from_elsewhere(searcher):
    with served(searcher) as address:
        status, headers, page = _get(address)
    assert status == 200 and "default-src 'none'" in headers["Content-Security-Policy"]
    assert "http://" not in page and "https://" not in page and "src=" not in page
    assert "innerHTML" not in page


@pytest.mark.parametrize(
    "asked", ["q=", "q=%20", f"q={'a' * (LONGEST_QUERY + 1)}", "q=a&k=0", "q=a&k=51", "q=a&k=x", "q=a&k=-1"]
)
def test_questions_out_of_bounds_are_told_the_bounds(searcher, asked):
    with served(searcher) as address:
        status, _, body = _get(f"{address}/search?{asked}")
    assert status == 400 and "1 to 500 characters" in body


def test_other_paths_and_other_names_of_this_machine_are_refused(searcher):
    with served(searcher) as address:
        assert _get(f"{address}/../etc/passwd")[0] == 404
        assert _get(address, Host="evil.example")[0] == 403


def test_a_taken_port_is_named(searcher):
    with served(searcher) as address, pytest.raises(ServiceError, match="cannot listen") as caught:
        make_server(searcher, int(address.rsplit(":", 1)[1]))
    assert "--port 0" in caught.value.fix


def test_an_excerpt_begins_before_the_first_match():
    text = "가나다 " * 100 + "셀을 보호합니다"
    shown, marks = excerpt_of(text, {"셀", "보호"})
    assert [shown[start:end] for start, end in marks] == ["셀", "보호"] and marks[0][0] == 40


@pytest.fixture(scope="module")
def page(searcher, tmp_path_factory):
    """Chromium with the page open, its results not asked for yet; it asks for Korean."""
    if shutil.which("chromium") is None:
        pytest.skip("no chromium here; what the page asks for is tested over HTTP")
    with served(searcher) as address, Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser, address


SHOWN = "document.querySelectorAll('#sparse .name').length > 0"
FOCUS = """(() => {
  const active = document.activeElement, card = active.closest('li');
  if (!card) return active.id || active.tagName;
  return card.parentElement.id + ' ' + [...card.parentElement.children].indexOf(card);
})()"""
SEEN = """(() => {
  const style = getComputedStyle(document.activeElement), box = document.activeElement.getBoundingClientRect();
  const outlined = style.outlineStyle === 'solid' && parseFloat(style.outlineWidth) >= 2;
  return outlined && box.top >= 0 && box.bottom <= innerHeight;
})()"""


def test_a_browser_shows_both_systems(page):
    browser, address = page
    browser.open(f"{address}/?q={quote('셀 보호')}")
    browser.wait(SHOWN)
    content = browser.tell("document.body.innerHTML")
    assert content.count('<p class="name">') >= 2 and "<mark>셀</mark>" in content
    assert "&lt;b&gt;셀&lt;/b&gt;" in content  # a title is text, never markup


def test_a_query_is_typed_sent_and_its_results_are_gone_through_by_keyboard_alone(page):
    browser, address = page
    browser.open(address)
    assert browser.tell(FOCUS) == "query" and browser.tell(SEEN)
    browser.commit("셀 표 인쇄")
    browser.press("Enter")
    browser.wait(SHOWN)
    sparse, bm25 = (browser.tell(f"document.querySelectorAll('#{name} .name').length") for name in ("sparse", "bm25"))
    assert sparse > 1 and bm25 == 3
    assert browser.tell("document.getElementById('status').textContent") == f"희소 모델 {sparse}건, BM25 3건"
    assert browser.tell("new URLSearchParams(location.search).get('q')") == "셀 표 인쇄"  # the address can be shared

    places = []
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowLeft", "ArrowUp", "ArrowUp", "ArrowDown", "/", "Tab"):
        browser.press(key)
        places.append(browser.tell(FOCUS))
        assert browser.tell(SEEN), f"nothing shows where {key} has led"
    assert places[:6] == ["sparse 0", "sparse 1", "bm25 1", "sparse 1", "sparse 0", "query"]
    assert places[6:] == ["sparse 0", "query", "BUTTON"]

    browser.press("Escape")
    assert browser.tell(FOCUS) == "query" and browser.tell("document.getElementById('query').value") == ""


def test_keys_are_left_to_the_input_method_while_hangul_is_composed(page):
    browser, address = page
    browser.open(f"{address}/?q={quote('셀 보호')}")
    browser.wait(SHOWN)
    browser.press("Escape")
    browser.compose("세")
    browser.press("ArrowDown")  # chooses among the input method's candidates
    assert browser.tell(FOCUS) == "query" and browser.tell("document.getElementById('query').value") == "세"
    browser.commit("셀")
    browser.press("ArrowDown")
    assert browser.tell(FOCUS) == "sparse 0"


def test_enter_opens_the_document_of_a_result_that_has_an_address(page):
    browser, address = page
    browser.open(f"{address}/?q={quote('표')}")
    browser.wait(SHOWN)
    follow = "event.preventDefault(); window.followed = event.target.href;"
    browser.tell(f"document.addEventListener('click', (event) => {{ {follow} }})")
    linked = browser.tell("[...document.querySelectorAll('#bm25 li')].findIndex((card) => card.querySelector('a'))")
    browser.press("ArrowDown", "ArrowRight", *["ArrowDown"] * linked, "Enter")
    assert browser.tell("window.followed") == "https://docs.example/table"
    assert browser.tell("document.querySelector('#bm25 a').getAttribute('aria-label')") == "문서 열기"


def test_the_page_is_english_for_those_who_ask_for_english(page):
    browser, address = page
    browser.call("Emulation.setUserAgentOverride", userAgent="test", acceptLanguage="en-GB")
    browser.open(address)
    shown = browser.tell("[document.documentElement.lang, document.querySelector('button').textContent]")
    assert shown == ["en", "Search"]
