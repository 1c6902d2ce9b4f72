from kosparse.corpus.summary import Summary, count_reasons
from kosparse.records import Document, Reject


def _summary(*documents):
    summary = Summary()
    assert list(summary.watch(documents)) == list(documents)
    return summary.as_json()


def test_numbers_of_two_documents():
    found = _summary(Document(id="a", text="셀 abc", date="2024-02-01"), Document(id="b", text="시트"))
    assert (found["documents"], found["characters"], found["mean_characters"]) == (2, 7, 3.5)
    assert found["hangul_share"] == (1 / 4 + 1) / 2
    assert (found["has_dates"], found["dated_documents"], found["first_date"]) == (True, 1, "2024-02-01")


def test_texts_that_differ_in_signs_only_are_counted_as_duplicates():
    assert _summary(Document(id="a", text="셀 보호."), Document(id="b", text="셀보호!"))["duplicate_texts"] == 1


def test_the_hash_follows_the_content():
    one = _summary(Document(id="a", text="셀"))["sha256"]
    assert one == _summary(Document(id="a", text="셀"))["sha256"]
    assert one != _summary(Document(id="a", text="셀", title="표"))["sha256"]


def test_no_documents_have_no_mean():
    assert _summary()["mean_characters"] == 0.0


def test_reasons_are_counted_most_frequent_first():
    rejects = [Reject(stage="s", reason=reason) for reason in ("a", "b", "b")]
    assert list(count_reasons(rejects).items()) == [("b", 2), ("a", 1)]
