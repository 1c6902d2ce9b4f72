"""Scaffold a step: ``python -m components.scaffold my_step`` (``make step NAME=my_step``).

Writes the step, its component with README, its config class and a test that fails until the step
does something; then says what is left to do by hand: the graph, and the list of steps.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kosparse import korean
from kosparse.errors import ConfigError, KosparseError
from kosparse.steps import STEPS

ROOT = Path(__file__).parents[1]

STEP = '''"""``{name}``: say in one line what it does."""

from __future__ import annotations

from kosparse.config import {config}
from kosparse.jsonl import read_json, write_json
from kosparse.steps.runtime import InPath, Metrics, OutPath, step


@step
def run(config: {config}, *, source: InPath, result: OutPath) -> Metrics:
    """Copy ``source`` to ``result``: replace this by a call into the library."""
    write_json(result, read_json(source))
    return {{}}
'''

COMPONENT = '''"""KFP wrapper of ``kosparse.steps.{name}``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def {name}(
    source: dsl.Input[dsl.Artifact],
    result: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Say in one line what it does.

    Args:
        source: What comes in.
        config: ``kosparse.config.{config}`` as a JSON object.

    Returns:
        result: What goes out.
        metrics: Counts and seconds.
    """
    from kosparse.steps import {name} as step

    numbers = step.run(
        config=config,
        source=source.path,
        result=result.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
'''

README = """# {name}

Say in one line what it does.

| kind | name | type | what |
|---|---|---|---|
| input | `source` | Artifact | What comes in. |
| output | `result` | Artifact | What goes out. |
| output | `metrics` | Metrics | Counts and seconds. |
| parameter | `config` | dict | `kosparse.config.{config}`. |

Logic: [`kosparse/steps/{name}.py`](../../kosparse/steps/{name}.py). By hand: `kosparse {name} --help`.
"""

CONFIG = '''"""Config of ``{name}``."""

from __future__ import annotations

from kosparse.config.base import StepConfig


class {config}(StepConfig):
    """``{name}``."""
'''

TEST = '''"""``{name}``."""

from kosparse.steps import {name}


def test_{name}_does_what_it_is_for(tmp_path):
    (tmp_path / "source").write_text("{{}}")

    {name}.run(config={{}}, source=tmp_path / "source", result=tmp_path / "result")

    assert (tmp_path / "result").read_text() != "{{}}\\n", "say here what {name} should have written"
'''


def scaffold(name: str, root: Path = ROOT) -> list[Path]:
    """Write the files of a new step below ``root`` and return them.

    Raises:
        ConfigError: The name is no lower-case identifier, or is taken.
    """
    if not name.isidentifier() or name != name.lower():
        raise ConfigError(f"{name!r} cannot be a step's name", where="NAME", fix="Use lower_case_words.")
    if name in STEPS or (root / "components" / name).exists():
        raise ConfigError(f"there is a step {name!r} already", where="NAME", fix="Choose another name.")
    words = {"name": name, "config": "".join(word.capitalize() for word in name.split("_")) + "Config"}
    files = {
        root / "kosparse" / "steps" / f"{name}.py": STEP,
        root / "kosparse" / "config" / f"{name}.py": CONFIG,
        root / "components" / name / "__init__.py": "",
        root / "components" / name / "component.py": COMPONENT,
        root / "components" / name / "README.md": README,
        root / "tests" / "unit" / "steps" / f"test_{name}.py": TEST,
    }
    for path, template in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(template.format(**words), encoding="utf-8")
    exports = root / "kosparse" / "config" / "__init__.py"
    imported = f'from kosparse.config.{name} import {words["config"]}\n\n__all__ = [\n    "{words["config"]}",'
    exports.write_text(exports.read_text(encoding="utf-8").replace("\n__all__ = [", imported, 1), encoding="utf-8")
    return [*files, exports]


def main() -> int:
    """Scaffold the step named on the command line; return the exit status."""
    try:
        written = scaffold(sys.argv[1] if len(sys.argv) > 1 else "")
    except KosparseError as error:
        print(f"kosparse: {korean.message(error)}", file=sys.stderr)
        return error.exit_code
    print("\n".join(f"wrote {path.relative_to(ROOT)}" for path in written))
    print(
        "left to do: add the name to STEPS in kosparse/steps/__init__.py, the task and its parameter to\n"
        "pipelines/retrieval.py, then `make compile` and `make test`"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
