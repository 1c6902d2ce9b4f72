"""Prompts are files: one YAML per task, versioned, fingerprinted, checked.

A file holds ``id``, ``version``, ``purpose``, ``variables``, ``answer`` (the JSON schema sent to the
server, or ``labels`` for a question answered by probabilities), ``system``, ``user``, ``fields`` (what is
said of single fields of the answer) and ``examples`` (few-shot turns, parsed in tests by the parser that
reads live answers). A folder named by ``KOSPARSE_PROMPTS`` overrides files of the same name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2 import meta
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kosparse.errors import ConfigError
from kosparse.settings import settings

_HERE = Path(__file__).parent
_NAMES = sorted(path.stem for path in _HERE.glob("*.yaml"))
_ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)


class Example(BaseModel):
    """One few-shot turn: the variables given, and the answer the model should have written."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    given: dict[str, Any]
    answer: Any


class Prompt(BaseModel):
    """One prompt file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str
    version: int = Field(ge=1)
    purpose: str
    variables: list[str]
    system: str = ""
    user: str
    answer: dict[str, Any] | None = None
    """JSON schema of the answer; None for free text or labels."""
    labels: list[str] = []
    """Single-token answers whose probabilities are compared, the positive one first."""
    fields: dict[str, str] = {}
    """Field of the answer -> what to write there; said behind ``system``, of the fields that are asked for."""
    examples: list[Example] = []

    @model_validator(mode="after")
    def _variables_match_template(self) -> Prompt:
        used = meta.find_undeclared_variables(_ENVIRONMENT.parse(self.system + self.user))
        if used != set(self.variables):
            raise ValueError(f"declares variables {sorted(self.variables)} but the text uses {sorted(used)}")
        for example in self.examples:
            if set(example.given) != used:
                raise ValueError(f"an example gives {sorted(example.given)}, the text needs {sorted(used)}")
        if unknown := sorted(set(self.fields) - set((self.answer or {}).get("properties", {}))):
            raise ValueError(f"says what to write in {', '.join(unknown)}, which the answer does not have")
        return self

    @property
    def fingerprint(self) -> str:
        """``id@version:hash``, the hash over everything that reaches the model."""
        content = self.model_dump(exclude={"version", "purpose"})
        digest = hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
        return f"{self.id}@{self.version}:{digest[:12]}"

    def narrowed(self, names: Sequence[str]) -> Prompt:
        """The same question for some fields of the answer alone, in this order; examples answer these too.

        Raises:
            ConfigError: The answer has no such field; names those it has.
        """
        answer = self.answer or {}
        known = answer.get("properties", {})
        if missing := [name for name in names if name not in known]:
            raise ConfigError(
                f"the prompt {self.id} has no {missing[0]!r}",
                where=f"kosparse/prompts/{self.id}.yaml",
                fix=f"Use {', '.join(known)}, or add it to the prompt's answer.",
            )
        return self.model_copy(
            update={
                "answer": {**answer, "properties": {name: known[name] for name in names}, "required": list(names)},
                "fields": {name: self.fields[name] for name in names if name in self.fields},
                "examples": [
                    example.model_copy(update={"answer": {name: example.answer[name] for name in names}})
                    for example in self.examples
                ],
            }
        )

    def messages(self, **variables: Any) -> tuple[dict[str, str], ...]:
        """Render the chat: system, few-shot turns, then the question. Shared parts come first.

        Raises:
            ConfigError: A variable is missing or unknown; names the file.
        """
        if set(variables) != set(self.variables):
            raise ConfigError(
                f"prompt {self.id!r} needs {sorted(self.variables)}, got {sorted(variables)}",
                where=f"kosparse/prompts/{self.id}.yaml",
                fix="Fix the call or the text of the prompt.",
            )
        told = [self.system.strip(), *(f"{name}: {said}" for name, said in self.fields.items())]
        system = "\n".join(filter(None, told))
        turns = [{"role": "system", "content": system}] if system else []
        for example in self.examples:
            turns.append({"role": "user", "content": self._render(example.given)})
            turns.append({"role": "assistant", "content": answer_text(example.answer)})
        turns.append({"role": "user", "content": self._render(variables)})
        return tuple(turns)

    def _render(self, variables: dict[str, Any]) -> str:
        fenced = {name: _fence(value) for name, value in variables.items()}
        return _compiled(self.user).render(fenced).strip()


@cache
def _compiled(text: str) -> jinja2.Template:
    """Compiling takes a hundred times as long as rendering."""
    return _ENVIRONMENT.from_string(text)


def answer_text(answer: Any) -> str:
    """An example's answer as the model should write it: compact, as grammars without white space force it to."""
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def _fence(value: Any) -> Any:
    """Keep data from closing the fence it stands in: ``<<<`` and ``>>>`` delimit data in prompts."""
    if isinstance(value, list):
        return [_fence(each) for each in value]
    return value.replace("<<<", "«").replace(">>>", "»") if isinstance(value, str) else value


def load(name: str) -> Prompt:
    """Load a prompt by name, from the user's folder (``KOSPARSE_PROMPTS``) first.

    Raises:
        ConfigError: No such prompt, the file is not a valid one, or the user's does not fit in place of
            the one that ships: other variables, another kind of answer, or a name nobody asks for.
    """
    folder = settings().prompts
    if folder is not None:
        _check_folder(folder)
    if name not in names():
        raise ConfigError(f"there is no prompt {name!r}", where=str(_HERE), fix=f"Known prompts: {', '.join(names())}.")
    return _load(name, folder)


@cache
def _load(name: str, folder: Path | None) -> Prompt:
    shipped = _parse(_HERE / f"{name}.yaml")
    if folder is None or not (folder / f"{name}.yaml").exists():
        return shipped
    return _in_place_of(shipped, _parse(folder / f"{name}.yaml"), folder / f"{name}.yaml")


@cache
def _check_folder(folder: Path) -> None:
    """A misspelt file would be left unread in silence."""
    if not folder.is_dir():
        raise ConfigError(
            "the folder of prompts is not there", where=f"KOSPARSE_PROMPTS={folder}", fix="Mend the path."
        )
    unknown = sorted(path.name for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and not _ships(path))
    if unknown:
        raise ConfigError(
            f"no prompt is called {', '.join(unknown)}",
            where=str(folder),
            fix=f"Name it {'.yaml, '.join(names())}.yaml.",
        )


def _ships(path: Path) -> bool:
    return path.name in {f"{name}.yaml" for name in names()}


def _in_place_of(shipped: Prompt, own: Prompt, path: Path) -> Prompt:
    """A user's prompt, if the step that asks it can give it what it needs and read what it answers."""
    missing = sorted(set(shipped.variables) - set(own.variables))
    unknown = sorted(set(own.variables) - set(shipped.variables))
    lost = sorted(_fields(shipped) - _fields(own))
    problems = [
        f"leaves out the variable {', '.join(missing)}" if missing else "",
        f"has the unknown variable {', '.join(unknown)}" if unknown else "",
        "has labels where a JSON answer is read" if own.labels and not shipped.labels else "",
        "has no labels to compare" if shipped.labels and not own.labels else "",
        f"has no answer field {', '.join(lost)}" if lost and not own.labels else "",
    ]
    if any(problems):
        raise ConfigError(
            f"your prompt {own.id!r} {'; '.join(filter(None, problems))}",
            where=str(path),
            fix=f"Use the variables {', '.join(shipped.variables)}, and the answer of the prompt that ships.",
        )
    return own


def _fields(prompt: Prompt) -> set[str]:
    return set((prompt.answer or {}).get("required", []))


def names() -> list[str]:
    """All prompts that ship, sorted."""
    return list(_NAMES)


def _parse(path: Path) -> Prompt:
    try:
        prompt = Prompt.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError, OSError, UnicodeDecodeError, jinja2.TemplateError) as error:
        raise ConfigError(f"not a valid prompt: {error}", where=str(path), fix="Mend the YAML file.") from error
    if prompt.id != path.stem:
        raise ConfigError(f"the prompt's id is {prompt.id!r}", where=str(path), fix="Name file and id alike.")
    return prompt
