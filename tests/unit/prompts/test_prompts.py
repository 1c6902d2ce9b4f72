"""Every prompt file loads, and every few-shot example reads with the parser that reads live answers."""

import json

import pytest

from kosparse import prompts
from kosparse.errors import ConfigError
from kosparse.prompts import Prompt, answer_text
from kosparse.records import Pair, Passage, Query
from kosparse.synthetic import augment, documents, hard_negatives, queries
from kosparse.synthetic.writer import Writer
from tests.fakes.chat import FakeChatModel

WRITER = Writer(FakeChatModel(lambda request: ""))
SYNTHETIC = ("augment_query", "generate_documents", "generate_hard_negatives", "generate_queries")


def read(prompt, given, text):
    passage = Passage(id="p#0", document_id="p", position=0, text=given.get("passage") or given.get("document") or "")
    pair = Pair(id="1", query=given.get("query", ""), passage_id="p#0", document_id="p", origin="real")
    if prompt.id == "generate_queries":
        return queries.parse(queries.Draw(passage, tuple(prompt.answer["required"])), text, WRITER, prompt)
    if prompt.id == "augment_query":
        return augment.parse(pair, text, WRITER, prompt)
    if prompt.id == "generate_documents":
        draft = documents.Draft(Query(id="1", text=given["query"]), given["grade"])
        return documents.parse(draft, text, WRITER, prompt)
    return hard_negatives.parse(hard_negatives.Task(pair, passage, given["error"]), text, WRITER, prompt)


@pytest.mark.parametrize("name", prompts.names())
def test_every_prompt_file_loads_and_renders(name):
    prompt = prompts.load(name)
    assert prompt.fingerprint.startswith(f"{name}@{prompt.version}:")
    assert prompt.answer is None or prompt.labels == []
    given = prompt.examples[0].given if prompt.examples else {variable: "셀" for variable in prompt.variables}
    messages = prompt.messages(**given)
    assert messages[-1]["role"] == "user"
    assert [message["role"] for message in messages].count("assistant") == len(prompt.examples)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_every_example_reads_with_the_live_parser(name):
    prompt = prompts.load(name)
    assert prompt.examples
    for example in prompt.examples:
        rows = read(prompt, example.given, answer_text(example.answer))
        assert rows
        assert not [row for row in rows if getattr(row, "reason", None)]


@pytest.mark.parametrize("name", [name for name in prompts.names() if prompts.load(name).labels])
def test_examples_of_a_label_prompt_answer_with_its_labels(name):
    prompt = prompts.load(name)
    assert len(prompt.labels) >= 2
    answered = [line.split(". ")[-1] for example in prompt.examples for line in example.answer.splitlines()]
    assert set(answered) <= set(prompt.labels)
    for example in prompt.examples:
        assert len(example.answer.splitlines()) == len(example.given.get("queries", [""]))


@pytest.mark.parametrize("name", [name for name in prompts.names() if prompts.load(name).answer])
def test_examples_have_the_fields_the_schema_requires(name):
    prompt = prompts.load(name)
    for example in prompt.examples:
        assert set(prompt.answer["required"]) <= set(example.answer)


@pytest.mark.parametrize("error", ["other_entity", "other_aspect", "other_condition", "no_answer"])
def test_each_way_of_failing_has_its_own_words(error):
    prompt = prompts.load("generate_hard_negatives")
    others = {"other_entity", "other_aspect", "other_condition", "no_answer"} - {error}
    render = lambda kind: prompt.messages(query="q", passage="p", error=kind)[-1]["content"]  # noqa: E731
    assert all(render(error) != render(other) for other in others)


def test_a_changed_text_changes_the_fingerprint_and_a_changed_purpose_does_not():
    prompt = prompts.load("augment_query")
    assert prompt.model_copy(update={"system": prompt.system + "!"}).fingerprint != prompt.fingerprint
    assert prompt.model_copy(update={"purpose": "other"}).fingerprint == prompt.fingerprint


def test_a_template_that_uses_what_it_does_not_declare_is_refused():
    with pytest.raises(ValueError, match="declares variables"):
        Prompt(id="x", version=1, purpose="p", variables=["a"], user="{{ b }}")


def test_a_missing_variable_is_an_error_that_names_the_prompt():
    with pytest.raises(ConfigError, match="augment_query"):
        prompts.load("augment_query").messages(text="셀")


def test_an_unknown_prompt_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ConfigError) as error:
        prompts.load("no_such_prompt")
    assert "generate_queries" in error.value.fix


OWN = "id: augment_query\nversion: 9\npurpose: test\n"
ANSWER = "answer: {type: object, properties: {queries: {type: array}}, required: %s}\n"


def own_prompt(folder, monkeypatch, text, name="augment_query.yaml"):
    (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("KOSPARSE_PROMPTS", str(folder))


def answer_of_the_prompt_that_ships():
    return ANSWER % json.dumps(prompts.load("augment_query").answer["required"])


def test_a_users_folder_overrides_a_prompt_and_leaves_the_others(tmp_path, monkeypatch):
    shipped = prompts.load("generate_queries")
    own = OWN + answer_of_the_prompt_that_ships() + "variables: [query]\nuser: '{{ query }}'\n"
    own_prompt(tmp_path, monkeypatch, own)

    assert prompts.load("augment_query").version == 9
    assert prompts.load("generate_queries") == shipped
    monkeypatch.delenv("KOSPARSE_PROMPTS")
    assert prompts.load("augment_query").version != 9


@pytest.mark.parametrize(
    ("variables", "user", "what"),
    [
        ("[text]", "{{ text }}", "leaves out the variable query; has the unknown variable text"),
        ("[query, mood]", "{{ query }} {{ mood }}", "has the unknown variable mood"),
        ("[]", "아무 말", "leaves out the variable query"),
    ],
)
def test_a_users_prompt_with_other_variables_is_refused(tmp_path, monkeypatch, variables, user, what):
    own = OWN + answer_of_the_prompt_that_ships() + f"variables: {variables}\nuser: '{user}'\n"
    own_prompt(tmp_path, monkeypatch, own)

    with pytest.raises(ConfigError, match=what):
        prompts.load("augment_query")


@pytest.mark.parametrize(
    ("answer", "what"), [("labels: [a, b]\n", "labels where a JSON"), (ANSWER % "[other]", "no answer field")]
)
def test_a_users_prompt_whose_answer_nobody_can_read_is_refused(tmp_path, monkeypatch, answer, what):
    own_prompt(tmp_path, monkeypatch, OWN + answer + "variables: [query]\nuser: '{{ query }}'\n")

    with pytest.raises(ConfigError, match=what):
        prompts.load("augment_query")


def test_a_misspelt_prompt_is_not_left_unread(tmp_path, monkeypatch):
    own_prompt(tmp_path, monkeypatch, OWN, name="augment_querys.yaml")

    with pytest.raises(ConfigError, match="augment_querys.yaml"):
        prompts.load("generate_queries")


def test_a_folder_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KOSPARSE_PROMPTS", str(tmp_path / "none"))

    with pytest.raises(ConfigError, match="not there"):
        prompts.load("generate_queries")


def test_a_narrowed_prompt_asks_says_and_shows_some_fields_alone():
    prompt = prompts.load("generate_queries").narrowed(["question", "keyword"])
    assert list(prompt.answer["properties"]) == prompt.answer["required"] == ["question", "keyword"]
    assert list(prompt.examples[0].answer) == ["question", "keyword"]
    system = prompt.messages(document="셀")[0]["content"]
    assert "question: " in system and "colloquial: " not in system
    assert prompts.load("generate_queries").answer["required"] != ["question", "keyword"], (
        "the prompt itself is unchanged"
    )


def test_a_field_it_does_not_have_is_an_error_that_lists_those_it_has():
    with pytest.raises(ConfigError, match="haiku") as error:
        prompts.load("generate_queries").narrowed(["haiku"])
    assert "keyword" in error.value.fix


def test_what_is_said_of_a_field_the_answer_does_not_have_is_refused():
    answer = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    with pytest.raises(ValueError, match="says what to write in b"):
        Prompt(id="x", version=1, purpose="p", variables=[], user="u", answer=answer, fields={"b": "?"})
