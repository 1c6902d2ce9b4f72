from __future__ import annotations

import pytest

from kosparse.llm.structured import parse_json


@pytest.mark.parametrize(
    "text",
    [
        '{"queries": ["셀 보호", "a,]b"]}',
        '```json\n{"queries": ["셀 보호", "a,]b"]}\n```',
        '```\n{"queries": ["셀 보호", "a,]b"]}\n```\n도움이 되었길 바랍니다.',
        '답: {"queries": ["셀 보호", "a,]b",],}',
        '<think>{"queries": []}?</think>{"queries": ["셀 보호", "a,]b"]}',
        '{"queries": [“셀 보호”, "a,]b"]}',
        '[참고]\n{"queries": ["셀 보호", "a,]b"]}',
    ],
)
def test_json_is_found_in_what_models_write(text: str) -> None:
    assert parse_json(text) == {"queries": ["셀 보호", "a,]b"]}


@pytest.mark.parametrize("text", ["", "네.", '{"queries": ["셀 보', "<think>{}", "```json\n```"])
def test_an_answer_without_a_complete_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        parse_json(text)


def test_a_code_block_inside_a_string_is_left_alone() -> None:
    assert parse_json('{"text": "```python\\nx = [1,]\\n```"}') == {"text": "```python\nx = [1,]\n```"}


def test_scalars_and_lists_are_json_too() -> None:
    assert parse_json("3") == 3
    assert parse_json('["가", "나",]') == ["가", "나"]
