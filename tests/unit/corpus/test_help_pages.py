from kosparse.corpus.help_pages import keyword_query, read_page

PAGE = """<!DOCTYPE html><html lang="ko"><head><title>셀 보호 안내</title><script>var no = 1</script></head>
<body><header><p>LibreOffice Help</p></header><div id="DisplayArea">
<meta itemprop="keywords" content="셀; 보호"><meta itemprop="keywords" content="시트--보호 &amp; 해제">
<h1 id="h"><a name="x"></a>셀 보호</h1>
<p id="a">셀을
  <b>보호</b>합니다.</p>
<div class="note"><p>되풀이</p></div><p>되풀이</p>
<p>셀 보호</p><p>셀 보호 안내</p>
<p id="m"><span hidden="true" class="MAC">기본 설정</span><span hidden="true">도구</span> - 옵션</p>
<table><tr><td>안쪽 칸</td><td><p id="c">둘째 칸</p></td></tr></table>
<h2 id="h2">작은 제목</h2>첫 줄<br>둘째 줄<!-- 주석 -->
</div></body></html>"""


def _page(tmp_path, html=PAGE):
    (tmp_path / "p.html").write_text(html, encoding="utf-8")
    return read_page(tmp_path / "p.html")


def test_the_body_has_no_title_and_each_block_once(tmp_path):
    assert _page(tmp_path).body.splitlines() == [
        "셀을 보호합니다.",
        "되풀이",
        "도구 - 옵션",
        "안쪽 칸",
        "둘째 칸",
        "작은 제목",
        "첫 줄",
        "둘째 줄",
    ]


def test_titles_and_keywords_are_kept_apart(tmp_path):
    page = _page(tmp_path)
    assert (page.title, page.head_title) == ("셀 보호", "셀 보호 안내")
    assert [keyword_query(keyword) for keyword in page.keywords] == ["셀 보호", "시트 보호 & 해제"]


def test_elements_are_found_by_id(tmp_path):
    assert _page(tmp_path).by_id == {
        "h": ("h1", "셀 보호"),
        "a": ("p", "셀을 보호합니다."),
        "m": ("p", "도구 - 옵션"),
        "c": ("p", "둘째 칸"),
        "h2": ("h2", "작은 제목"),
    }


def test_a_page_without_the_usual_frame_is_read_too(tmp_path):
    page = _page(tmp_path, "<html><body><p>본문뿐</p></body></html>")
    assert (page.title, page.body, page.keywords) == ("", "본문뿐", ())
