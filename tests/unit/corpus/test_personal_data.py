import pytest

from kosparse.corpus.personal_data import personal_data


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("제 번호는 010-1234-5678입니다", "phone"),
        ("01012345678 로 전화", "phone"),
        ("+82 10-1234-5678", "phone"),
        ("대표 전화 02-123-4567", "phone"),
        ("(031) 123-4567", "phone"),
        ("주민등록번호 900101-1234567", "resident_number"),
        ("외국인 등록 850230 - 5123456", "resident_number"),
        ("사업자 124-81-00998", "business_number"),
        ("카드 4111 1111 1111 1111", "card"),
        ("메일은 hong.gildong@corp.co.kr로", "email"),
    ],
)
def test_each_kind_is_found(text, kind):
    assert personal_data(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-12-31까지",
        "버전 7.4.1-0123456",
        "901301-1234567",
        "124-81-00999",
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "someone@example.com",
        "A1:B10 범위, 1,234,567",
        "010 버전과 5678",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text):
    assert personal_data(text) == []


def test_kinds_come_once_each():
    assert personal_data("010-1234-5678, 010-8765-4321, a@corp.kr") == ["phone", "email"]
