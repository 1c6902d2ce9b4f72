import pytest

from kosparse.config import IngestCorpusConfig
from kosparse.corpus.cleaning import WHERE
from kosparse.corpus.record_log import RecordLog, Rejects
from kosparse.corpus.seen import Seen
from kosparse.corpus.summary import KEPT, Inspection, Summary
from kosparse.jsonl import read_records
from kosparse.records import Document, Flag, Reject

LONG = "시트를 보호하면 셀의 내용을 실수로 바꾸는 일이 없습니다. 보호를 해제하려면 도구 메뉴에서 시트 보호를 고릅니다."


def _summary(*documents):
    summary = Summary()
    for document in documents:
        summary.count(document)
    return summary.as_json()


@pytest.fixture
def inspect(tmp_path):
    def run(*documents, **config):
        seen = Seen(tmp_path / "seen.sqlite")
        with Rejects(tmp_path / "rejects") as rejects, RecordLog(tmp_path / "flags") as flags:
            inspection = Inspection(IngestCorpusConfig(**config), seen, rejects, flags)
            for number, document in enumerate(documents, start=1):
                seen.note(WHERE, document.id, f"my.jsonl:{number}")
            kept = [document.id for document in inspection.watch(documents)]
        assert all(key in seen.all(KEPT) for key in kept) and "nobody" not in seen.all(KEPT)
        flagged = [(flag.document_id, flag.kind, flag.detail) for flag in read_records(tmp_path / "flags", Flag)]
        return kept, flagged, inspection.summary.as_json(), list(read_records(tmp_path / "rejects", Reject))

    return run


def test_numbers_of_two_documents():
    found = _summary(Document(id="a", text="셀 abc", date="2024-02-01"), Document(id="b", text="시트"))
    assert (found["documents"], found["characters"], found["mean_characters"]) == (2, 7, 3.5)
    assert found["hangul_share"] == (1 / 4 + 1) / 2
    assert (found["has_dates"], found["dated_documents"], found["first_date"]) == (True, 1, "2024-02-01")


def test_texts_that_differ_in_signs_only_are_flagged_as_duplicates_and_kept(inspect):
    kept, flagged, summary, _ = inspect(Document(id="a", text="셀 보호."), Document(id="b", text="셀보호!"))
    assert kept == ["a", "b"] and flagged == [("b", "duplicate", "a (1.00)")]
    assert (summary["duplicate_texts"], summary["near_duplicates"]) == (1, 0)


def test_a_text_that_differs_in_one_word_is_a_near_duplicate(inspect):
    other = LONG.replace("도구", "파일")
    kept, flagged, summary, _ = inspect(Document(id="a", text=LONG * 3), Document(id="b", text=LONG * 2 + other))
    assert [flag[:2] for flag in flagged] == [("b", "near_duplicate")] and kept == ["a", "b"]
    assert summary["near_duplicates"] == 1


def test_a_copy_without_the_personal_data_of_what_is_dropped_is_kept(inspect):
    told, copy = Document(id="a", text=LONG * 3 + " a@corp.kr"), Document(id="b", text=LONG * 3)
    kept, flagged, _, rejects = inspect(told, copy, personal_data="drop", duplicates="drop")
    assert (kept, flagged) == (["b"], []) and [row.reason for row in rejects] == ["personal_data"]


def test_texts_that_share_a_phrase_are_no_duplicates(inspect):
    other = "차트를 넣으려면 데이터를 고르고 삽입 메뉴에서 차트를 고릅니다. " * 2 + LONG[:20]
    assert inspect(Document(id="a", text=LONG), Document(id="b", text=other))[1] == []


def test_duplicates_are_left_out_with_a_reason_where_the_config_says_so(inspect):
    documents = [Document(id=name, text=LONG) for name in "ab"]
    kept, flagged, summary, rejects = inspect(*documents, duplicates="drop_exact")
    assert kept == ["a"] and flagged == [] and summary["documents"] == 1
    assert [(reject.where, reject.reason, reject.detail, reject.row) for reject in rejects] == [
        ("my.jsonl:2", "duplicate_text", "a (1.00)", {"_id": "b"})
    ]


def test_near_duplicates_are_left_out_with_their_line_too(inspect):
    other = LONG * 2 + LONG.replace("도구", "파일")
    kept, _, _, (reject,) = inspect(Document(id="a", text=LONG * 3), Document(id="b", text=other), duplicates="drop")
    assert kept == ["a"] and (reject.where, reject.reason) == ("my.jsonl:2", "near_duplicate")


def test_personal_data_is_flagged_or_left_out(inspect, tmp_path):
    caller = Document(id="c", text="문의는 010-1234-5678 또는 hong@corp.co.kr 로 하십시오.")
    kept, flagged, summary, _ = inspect(caller)
    assert kept == ["c"] and flagged == [("c", "personal_data", "phone, email")]
    assert summary["personal_data"] == {"phone": 1, "email": 1}
    (tmp_path / "seen.sqlite").unlink()
    kept, _, _, rejects = inspect(caller, personal_data="drop")
    assert kept == [] and (rejects[0].where, rejects[0].reason) == ("my.jsonl:1", "personal_data")
    assert rejects[0].row == {"_id": "c"}  # not the data themselves


def test_months_lengths_and_scripts_are_counted():
    found = _summary(
        Document(id="a", text="가" * 60, date="2024-02-01"),
        Document(id="b", text="나 abcdef", date="2024-02-29T10:00:00"),
    )
    assert found["months"] == {"2024-02": 2} and found["lengths"] == {"0–50": 1, "50–100": 1}
    assert found["scripts"] == {"Hangul": 1, "Latin, Hangul": 1}


def test_languages_are_those_that_documents_name_and_no_more_than_there_can_be():
    found = _summary(*(Document(id=f"d{n}", text="셀", lang=lang) for n, lang in enumerate(("ko", "en", "ko", None))))
    assert found["languages"] == {"ko": 2, "en": 1}
    many = _summary(*(Document(id=f"d{n}", text="셀", lang=f"x{n}" * 30) for n in range(203)))["languages"]
    assert len(many) == 201 and many["other"] == 3 and max(map(len, many)) == 35


def test_the_hash_follows_the_content():
    one = _summary(Document(id="a", text="셀"))["sha256"]
    assert one == _summary(Document(id="a", text="셀"))["sha256"]
    assert one != _summary(Document(id="a", text="셀", title="표"))["sha256"]


def test_no_documents_have_no_mean():
    assert _summary()["mean_characters"] == 0.0
