"""A component is its step's signature, an import and a call."""

import ast
import importlib.util
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import components
from components.scaffold import scaffold
from kosparse.steps import STEPS

FOLDER = Path(components.__file__).parent


@pytest.fixture(scope="module")
def loaded():
    return components.load()


@pytest.mark.parametrize("name", STEPS)
def test_component_has_the_files_and_parameters_of_its_step(name, loaded):
    spec = getattr(loaded, name).component_spec
    step = import_module(f"kosparse.steps.{name}").run

    artifacts = {key for key, value in (spec.inputs or {}).items() if value.type.startswith("system.")}
    parameters = set(spec.inputs or {}) - artifacts
    assert artifacts == set(step.inputs)
    assert parameters == {*step.params, "config"}
    assert set(spec.outputs) == {*step.outputs, "metrics"}


@pytest.mark.parametrize("name", STEPS)
def test_component_body_is_an_import_a_call_and_the_metrics(name):
    tree = ast.parse((FOLDER / name / "component.py").read_text(encoding="utf-8"))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef))

    docstring, *body = function.body
    assert [type(node) for node in body] == [ast.ImportFrom, ast.Assign, ast.For]
    assert body[0].module == "kosparse.steps" and body[0].names[0].name == name
    passed = {keyword.arg for keyword in body[1].value.keywords}
    assert passed == {argument.arg for argument in function.args.args} - {"metrics"}


@pytest.mark.parametrize("name", STEPS)
def test_readme_names_every_file_of_the_component(name, loaded):
    text = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    spec = getattr(loaded, name).component_spec

    for artifact in [*(spec.inputs or {}), *spec.outputs]:
        assert f"`{artifact}`" in text


def test_every_component_is_a_step_and_every_step_a_component():
    folders = {path.parent.name for path in FOLDER.glob("*/component.py")}
    assert folders == set(STEPS)


def test_a_scaffolded_component_describes_what_it_reads_and_writes(tmp_path):
    exports = tmp_path / "kosparse" / "config" / "__init__.py"
    exports.parent.mkdir(parents=True)
    exports.write_text("__all__ = []\n")
    scaffold("my_step", tmp_path)

    path = tmp_path / "components" / "my_step" / "component.py"
    found = importlib.util.spec_from_file_location("component", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    spec = module.my_step.component_spec
    assert set(spec.inputs) == {"source", "config"} and set(spec.outputs) == {"result", "metrics"}
    assert all(one.description for one in (*spec.inputs.values(), *spec.outputs.values()))


def test_components_run_in_images_that_are_pinned():
    from components import images

    for image in (images.CPU, images.GPU, images.VLLM):
        assert ":" in image and not image.endswith(":latest")
    assert inspect.getdoc(images)
