import argparse
import ast
import re
from importlib import import_module
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, field_validator

from kosparse import cli, korean
from kosparse.commands.by_hand import add_options
from kosparse.commands.parser import parser
from kosparse.config import StepConfig, TrainSparseConfig
from kosparse.config.describe import settings_of
from kosparse.errors import ConfigError, InputError
from kosparse.steps import STEPS, compute_idf, ingest_corpus

ROOT = Path(__file__).parents[2]


def _texts():
    """Every text of the code, ``{}`` where a value stands in an f-string."""
    found = set()
    for folder in ("kosparse", "pipelines"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    found.add(_text(node))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found |= {node.value, node.value.split("\n", 1)[0], " ".join(node.value.split())}
                elif isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant):
                    found.add(f"{node.left.value}{{}}")
    return found


def _text(node):
    """What a string says, ``{}`` where a value stands; None where it is put together elsewhere."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _helps(parser):
    """Every help that people see of commands and options."""
    yield from (group.title for group in parser._action_groups if group._group_actions)
    for action in parser._actions:
        if action.help:
            yield action.help
        if isinstance(action, argparse._SubParsersAction):
            yield from (choice.help for choice in action._choices_actions)
            for inner in action.choices.values():
                yield from _helps(inner)


def test_the_catalogue_says_only_what_the_code_says():
    of_argparse = {"show this help message and exit", "options", "positional arguments"}
    assert set(korean.catalogue()) - _texts() - OF_PYDANTIC == of_argparse


OF_PYDANTIC = {text for text in korean.catalogue() if text.startswith(("Input should", "String should"))} | {
    "Extra inputs are not permitted",
    "Field required",
    "Value error, {}",
}


class Every(StepConfig):
    whole: int = Field(default=1, ge=1, le=9)
    share: float = Field(default=0.5, gt=0, lt=1)
    switch: bool = True
    name: str = Field(default="a", pattern="^[a-z]$")
    kind: Literal["head", "all"] = "all"
    names: list[str] = []
    pairs: tuple[int, ...] = ()
    table: dict[str, int] = {}

    @field_validator("names")
    @classmethod
    def _few(cls, names: list[str]) -> list[str]:
        if len(names) > 1:
            raise ValueError("one is enough")
        return names


WRONG = [
    *(("whole", value) for value in ("x", 1.5, None, 0, 10)),
    *(("share", value) for value in ("x", None, 0, 1, float("nan"))),
    *(("switch", value) for value in ("x", None)),
    *(("name", value) for value in (1, "A")),
    *(("kind", "none"), ("names", 3), ("names", ["a", "b"]), ("pairs", 3), ("table", 3), ("unknown", 3)),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_what_pydantic_says_of_a_setting_is_korean_too(monkeypatch, key, value):
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    with pytest.raises(ConfigError) as caught:
        Every.parse({key: value}, "train_sparse")
    told = korean.message(caught.value).splitlines()[0]
    assert told.startswith(f"train_sparse의 {key}: ") and told.endswith(f"(받은 값 {value!r})")
    said = told.removeprefix(f"train_sparse의 {key}: ").removesuffix(f" (받은 값 {value!r})")
    assert "should" not in said and (re.search("[가-힣]", said) or said == "one is enough")


ERRORS = {"KosparseError", "InputError", "ConfigError", "ServiceError", "ResourceError"}


def _told_errors():
    """Every text of an error and of what to do about it, as far as it stands where it is raised."""
    for folder in ("kosparse", "pipelines"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                rules = {"ValueError"} if path.parent.name == "config" else set()  # said within a ConfigError
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS | rules:
                    given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "fix")]
                    yield from filter(None, map(_text, given))


def test_every_error_is_told_in_korean():
    told = set(_told_errors())
    assert len(told) > 500
    assert sorted(told - set(korean.catalogue()) - SAYS_ITSELF) == []


SAYS_ITSELF = {"{}", "{}: {}", "{} {}; its log ends with:\n{}"}
"""Texts that hold nothing but values, each translated by itself."""


def test_every_korean_text_takes_the_values_of_the_english_one():
    for english, told in korean.catalogue().items():
        count = english.count("{}")
        assert told.format(*(f"<{n}>" for n in range(count))), english
        assert all(f"{{{n}}}" in told for n in range(count)), english
        assert english in HAS_NO_HANGUL or re.search("[가-힣]", told), english


def test_no_text_is_taken_for_another():
    for english, told in korean.catalogue().items():
        filled, values = english, [f"<{n}>" for n in range(english.count("{}"))]
        for value in values:
            filled = filled.replace("{}", value, 1)
        assert korean.translate(filled) == told.format(*values)


HAS_NO_HANGUL = {"Value error, {}"}


def test_every_step_and_setting_is_explained_in_korean(monkeypatch):
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    for name in STEPS:
        step = import_module(f"kosparse.steps.{name}").run
        parser = korean.translate_help(add_options(argparse.ArgumentParser(), step))
        assert re.search("[가-힣]", parser.description), name
        assert [s.about for s in settings_of(step.config_type) if not re.search("[가-힣]", korean.say(s.about))] == []
        assert "종료 상태" in parser.epilog


def test_a_rule_about_several_settings_is_korean_too(monkeypatch):
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    with pytest.raises(ConfigError) as caught:
        TrainSparseConfig.parse({"query_encoder": "network"}, "train_sparse")
    assert korean.message(caught.value).startswith("train_sparse의 settings: 헤드만으로는 질의 읽기를")


def test_every_command_and_option_is_explained_in_korean():
    steps = [add_options(argparse.ArgumentParser(), step.run) for step in (compute_idf, ingest_corpus)]
    helps = {text for found in (parser(STEPS), *steps) for text in _helps(found)}
    assert len(helps) > 80
    assert [text for text in sorted(helps) if not re.search("[가-힣]", korean.translate(text))] == []


@pytest.mark.parametrize(("name", "language"), [("LANG", "ko_KR.UTF-8"), ("LC_ALL", "ko"), ("LC_MESSAGES", "ko_KR")])
def test_an_error_is_korean_where_the_environment_asks_for_it(monkeypatch, capsys, tmp_path, name, language):
    for variable in ("LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(variable, raising=False)
    assert cli.main(["search", "셀", "--run", str(tmp_path)]) == 2
    assert "there is no trained model here\n  where:" in capsys.readouterr().err
    monkeypatch.setenv(name, language)
    assert cli.main(["search", "셀", "--run", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.splitlines() == [
        "kosparse: 여기에는 학습한 모델이 없습니다",
        f"  어디: {tmp_path}",
        "  할 일: 먼저 `make run`을 하거나 --run을 적으십시오.",
    ]


def test_values_keep_their_places_and_what_is_not_known_stays_english(monkeypatch):
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    what = "2 of 4 rows cannot be used (at most 10% may): no_text 2"
    told = korean.message(InputError(what, where="a.jsonl:3", fix="Something nobody has translated."))
    assert told.splitlines() == [
        "4행 가운데 2행을 쓸 수 없습니다(10%까지만 됩니다): no_text 2",
        "  어디: a.jsonl:3",
        "  할 일: Something nobody has translated.",
    ]


def test_help_is_korean_too(monkeypatch, capsys):
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert "학습한 모델로 문서를 찾습니다" in capsys.readouterr().out
