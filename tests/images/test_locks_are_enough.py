"""What the images install is enough: kfp's executor and a component run without everything else.

The same Python as the other tests, with every distribution that the image's locks lack hidden from
imports. ``make images-test`` does it in the image itself.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest
import yaml

from pipelines import recipes
from pipelines.compile import PACKAGE
from tests.data.make_corpus import write
from tests.images.test_dockerfiles import LOCKS, ROOT, pins

RUN = """
import json, runpy, sys
from importlib.machinery import PathFinder

hidden = set(json.loads(sys.argv.pop(1)))

class Visible(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [Visible if finder is PathFinder else finder for finder in sys.meta_path]
module = sys.argv.pop(1)
sys.argv[0] = module
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
EVERY_MODULE = """
import importlib, pkgutil, sys
import kosparse
for found in pkgutil.walk_packages(kosparse.__path__, "kosparse."):
    if not found.name.endswith("__main__") and found.name not in sys.argv[1:]:
        importlib.import_module(found.name)
"""


def hidden(image):
    """Top-level modules installed here that the image does not hold."""
    held = {"kfp", "torch", "pip", *pins(LOCKS / "images" / f"{image}.lock")}
    known = {name.lower().replace("_", "-").replace(".", "-") for name in held}
    return sorted(
        module
        for module, owners in packages_distributions().items()
        if not known & {owner.lower().replace("_", "-").replace(".", "-") for owner in owners}
    )


def run(image, module, *arguments, path=ROOT):
    command = [sys.executable, "-c", RUN, json.dumps(hidden(image)), module, *arguments]
    environment = {**os.environ, "_KFP_RUNTIME": "true", "PYTHONPATH": f"{path}{os.pathsep}{ROOT}"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_what_is_not_locked_is_hidden():
    assert {"pytest", "kfp_server_api"} <= set(hidden("cpu"))
    assert "bitsandbytes" in hidden("cpu") and "bitsandbytes" not in hidden("gpu")


@pytest.mark.slow
@pytest.mark.parametrize("image", ["cpu", "gpu"])
def test_every_module_of_the_library_can_be_imported(image, tmp_path):
    (tmp_path / "every_module.py").write_text(EVERY_MODULE, encoding="utf-8")

    done = run(image, "every_module", path=tmp_path)

    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("image", ["cpu", "gpu"])
def test_a_component_runs_under_the_executor(image, tmp_path):
    spec = next(iter(yaml.safe_load_all(PACKAGE.read_text(encoding="utf-8"))))
    component = spec["components"]["comp-ingest-corpus"]["outputDefinitions"]["artifacts"]
    source = spec["deploymentSpec"]["executors"]["exec-ingest-corpus"]["container"]["command"][-1]
    (tmp_path / "component.py").write_text(source, encoding="utf-8")
    artifacts = {
        name: {"artifacts": [{"name": name, "type": given["artifactType"], "uri": str(tmp_path / name)}]}
        for name, given in component.items()
    }
    parameters = {
        "corpus": str(write(tmp_path / "corpus")),
        "queries": "",
        "qrels": "",
        "query_log": "",
        "config": recipes.arguments("smoke")["ingest_corpus"],
    }
    given = {
        "inputs": {"parameterValues": parameters},
        "outputs": {"artifacts": artifacts, "outputFile": str(tmp_path / "output.json")},
    }

    done = run(
        image,
        "kfp.dsl.executor_main",
        *("--component_module_path", str(tmp_path / "component.py")),
        *("--function_to_execute", "ingest_corpus"),
        *("--executor_input", json.dumps(given)),
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / "corpus_summary").read_text(encoding="utf-8"))["documents"] == 40
