import json

import pytest

from kosparse.config import IngestCorpusConfig
from kosparse.corpus.cleaning import BadRowError, Cleaned, iso_date, rejected, sample, to_document
from kosparse.corpus.readers import Location
from kosparse.corpus.record_log import Rejects
from kosparse.corpus.seen import Seen
from kosparse.errors import InputError
from kosparse.jsonl import read_records
from kosparse.records import Document, Reject

TEXT = "셀을 보호하려면 먼저 시트를 보호해야 합니다."
CONFIG = IngestCorpusConfig()


def _reason(row):
    with pytest.raises(BadRowError) as caught:
        to_document(row, CONFIG)
    return caught.value.reason


def _cleaned(tmp_path, rows, **config):
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    seen, left_out = tmp_path / "seen.sqlite", tmp_path / "rejects"
    seen.unlink(missing_ok=True)
    return Cleaned(Location(path, "corpus.jsonl"), IngestCorpusConfig(**config), Rejects(left_out), Seen(seen))


def _read(cleaned):
    """Ids kept, and the rejects."""
    with cleaned.rejects as rejects:
        kept = [document.id for document in cleaned]
    return kept, list(read_records(rejects._path, Reject))


def _good(count, start=0):
    return [{"_id": f"d{number}", "text": f"{TEXT} {number}"} for number in range(start, start + count)]


def test_a_row_becomes_a_document_and_other_fields_are_left_out():
    row = {"_id": 7, "title": " 셀\n보호 ", "text": TEXT + "\r\n", "date": "2024-05-01", "lang": "ko", "metadata": {}}
    assert to_document(row, CONFIG) == Document(id="7", title="셀 보호", text=TEXT, date="2024-05-01", lang="ko")


def test_id_serves_where_there_is_no_underscore_id():
    assert to_document({"id": "x", "text": TEXT}, CONFIG).id == "x"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"text": TEXT}, "no_id"),
        ({"_id": "", "text": TEXT}, "no_id"),
        ({"_id": True, "text": TEXT}, "bad_id"),
        ({"_id": "a b", "text": TEXT}, "bad_id"),
        ({"_id": "a\x00", "text": TEXT}, "bad_id"),
        ({"_id": "a"}, "no_text"),
        ({"_id": "a", "text": None}, "no_text"),
        ({"_id": "a", "text": [TEXT]}, "no_text"),
        ({"_id": "a", "text": " \n "}, "no_text"),
        ({"_id": "a", "text": TEXT + "\x00"}, "control_characters"),
        ({"_id": "a", "text": TEXT + "\ud800"}, "control_characters"),
        ({"_id": "a", "text": "짧은 글"}, "too_short"),
        ({"_id": "a", "text": "An English text, long enough to be one."}, "not_korean"),
        ({"_id": "a", "text": "1234567890 1234567890 1234567890"}, "not_korean"),
        ({"_id": "a", "text": TEXT, "title": 3}, "bad_field"),
    ],
)
def test_each_bad_row_has_its_reason(row, reason):
    assert _reason(row) == reason


def test_a_date_that_is_none_is_dropped_and_the_document_kept():
    assert to_document({"_id": "a", "text": TEXT, "date": "last May"}, CONFIG).date is None
    assert iso_date(20240501) is None and iso_date("2024-13-01") is None


def test_good_rows_pass_bad_ones_are_kept_as_rejects_with_their_line(tmp_path):
    rows = [*_good(2), {"_id": "d1", "text": TEXT}, {"_id": "e", "text": "", "date": "2020"}, *_good(1, start=9)]
    cleaned = _cleaned(tmp_path, rows)
    kept, rejects = _read(cleaned)
    assert kept == ["d0", "d1", "d9"]
    assert [(reject.where, reject.reason) for reject in rejects] == [
        ("corpus.jsonl:3", "duplicate_id"),
        ("corpus.jsonl:4", "no_text"),
    ]
    assert rejects[0].detail == "first seen at corpus.jsonl:2"
    assert cleaned.rows == 5


def test_the_run_goes_on_up_to_the_allowed_share_of_bad_rows(tmp_path):
    rows = [*_good(9), {"_id": "bad"}]
    cleaned = _cleaned(tmp_path, rows, max_bad_share=0.1)
    cleaned.check(len(_read(cleaned)[0]))
    stricter = _cleaned(tmp_path, rows, max_bad_share=0.09)
    kept = len(_read(stricter)[0])
    with pytest.raises(InputError, match="1 of 10 rows cannot be used .*no_text 1") as caught:
        stricter.check(kept)
    assert "corpus.jsonl:10 no_text" in caught.value.where and "max_bad_share" in caught.value.fix


def test_a_corpus_without_korean_says_so(tmp_path):
    cleaned = _cleaned(tmp_path, [{"_id": "a", "text": "Nothing in here is Korean at all."}], max_bad_share=1)
    kept = len(_read(cleaned)[0])
    with pytest.raises(InputError, match="there is no Korean in it"):
        cleaned.check(kept)


def test_an_empty_corpus_says_so(tmp_path):
    cleaned = _cleaned(tmp_path, [])
    with pytest.raises(InputError, match="the corpus is empty"):
        cleaned.check(len(_read(cleaned)[0]))


def test_nothing_usable_stops_the_run_whatever_share_is_allowed(tmp_path):
    cleaned = _cleaned(tmp_path, [{"_id": "", "text": TEXT}], max_bad_share=1)
    kept = len(_read(cleaned)[0])
    with pytest.raises(InputError, match="no_id 1") as caught:
        cleaned.check(kept)
    assert "`_id`" in caught.value.fix


def test_rejects_are_short_and_can_be_written_whatever_the_row_held():
    reject = rejected(
        BadRowError("no_text"), "f:1", {"long": "가" * 5000, "list": ["x" * 5000], "half": "\ud800", "n": 1}
    )
    assert reject.row == {"long": "가" * 200, "n": 1}
    assert reject.model_dump_json().encode("utf-8")


def test_a_sample_is_drawn_evenly_kept_in_order_and_always_the_same():
    documents = [Document(id=f"d{number:03d}", text=TEXT) for number in range(300)]
    drawn = [document.id for document in sample(iter(documents), 30)]
    assert len(drawn) == 30 and drawn == sorted(drawn)
    assert drawn == [document.id for document in sample(iter(documents), 30)]
    assert any(name < "d100" for name in drawn) and any(name >= "d200" for name in drawn)
    assert list(sample(documents, 0)) == documents
