import pytest

from kosparse import prompts
from kosparse.llm.schema import answer_problem, problem

SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"type": "string", "enum": ["a", "b"]},
        "terms": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        "count": {"type": "integer"},
        "sure": {"type": "boolean"},
    },
    "required": ["kind", "terms"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"kind": "a", "terms": ["셀"]}, ""),
        ({"kind": "c", "terms": ["셀"]}, "kind: not one of the allowed values"),
        ({"kind": "a"}, "without terms"),
        ({"kind": "a", "terms": [], "count": 1}, "terms: 0 items"),
        ({"kind": "a", "terms": ["가", 3]}, "terms[1]: not of type string"),
        ({"kind": "a", "terms": ["가"], "count": True}, "count: not of type integer"),
        ({"kind": "a", "terms": ["가"], "sure": 1}, "sure: not of type boolean"),
        ({"kind": "a", "terms": ["가"], "x": 1}, "with unknown x"),
        (["a"], "not of type object"),
    ],
)
def test_what_does_not_fit_is_named(value, found):
    assert problem(value, SCHEMA) == found


def test_fences_and_reasoning_are_not_held_against_an_answer():
    assert answer_problem('<think>음</think>```json\n{"kind": "a", "terms": ["셀"]}\n```', SCHEMA) == ""
    assert answer_problem("네.", SCHEMA) == "no JSON"


@pytest.mark.parametrize("name", [name for name in prompts.names() if prompts.load(name).answer])
def test_the_examples_of_every_prompt_fit_its_schema(name):
    prompt = prompts.load(name)
    assert [problem(example.answer, prompt.answer) for example in prompt.examples] == [""] * len(prompt.examples)
