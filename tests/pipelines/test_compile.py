"""The compiled package says what the code says."""

import re
from itertools import combinations

import pytest
import yaml

from k8s.check import typed
from kosparse.commands.parser import parser
from kosparse.commands.step_settings import read_settings
from kosparse.config import StepConfig
from kosparse.errors import ConfigError
from kosparse.steps import STEPS
from pipelines import recipes
from pipelines.compile import PACKAGE, REFRESH, compile_manifests, compile_pipeline, compile_refresh
from pipelines.deployment import GPU_STEPS, SECRETS
from pipelines.outputs import expected


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return compile_pipeline(tmp_path_factory.mktemp("package") / "kosparse.yaml")


def parsed(path):
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def test_committed_package_is_what_the_code_compiles_to(compiled):
    assert parsed(compiled) == parsed(PACKAGE), "run `make compile` and commit pipelines/kosparse.yaml"


def test_committed_refresh_is_what_the_code_compiles_to(tmp_path):
    assert parsed(compile_refresh(tmp_path / "r.yaml")) == parsed(REFRESH), "run `make compile`, commit refresh.yaml"


def test_the_refresh_on_a_cluster_is_the_command_by_hand():
    spec, platform = parsed(REFRESH)
    (task,), (executor,) = spec["root"]["dag"]["tasks"].values(), spec["deploymentSpec"]["executors"].values()
    given = {"run": "s3://b/run s3://b/earlier", "corpus": "s3://b/docs", "settings": '{"compute_idf": {"seed": 7.0}}'}
    words = [*executor["container"]["command"], *executor["container"]["args"]]
    filled = [re.sub(r"{{\$\.inputs\.parameters\['(\w+)'\]}}", lambda found: given[found[1]], word) for word in words]

    assert filled[0] == "kosparse"
    options = parser(STEPS).parse_args(filled[1:])
    assert (options.run, options.corpus, options.json) == (given["run"], given["corpus"], True)
    assert read_settings(options.config, options.set) == {"compute_idf": {"seed": 7}}
    assert not task.get("cachingOptions", {}).get("enableCache")
    assert task["retryPolicy"]["maxRetryCount"] == 2 and "cpu_image" in executor["container"]["image"]
    (pod,) = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values()
    assert len(pod["secretAsEnv"]) == 2 and pod["configMapAsEnv"][0]["configMapName"] == "kosparse"


def test_pipeline_defaults_are_the_config_defaults(compiled):
    parameters = parsed(compiled)[0]["root"]["inputDefinitions"]["parameters"]

    for name in STEPS:
        # KFP writes every number of a dict as a float: 3 == 3.0 holds, and parsing turns it back.
        assert parameters[name]["defaultValue"] == recipes.config_class(name).defaults()


def test_every_step_of_the_graph_is_in_the_package(compiled):
    assert {name.replace("-", "_") for name in expected(compiled)} == set(STEPS)


def test_steps_that_act_on_the_world_are_never_cached(compiled):
    package = parsed(compiled)[0]
    root_tasks = package["root"]["dag"]["tasks"]
    inner = package["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    cached = {
        name for name, task in {**root_tasks, **inner}.items() if task.get("cachingOptions", {}).get("enableCache")
    }

    for name in ("check-prerequisites", "serve-llm", "release-llm", "register-model", "stop-llm"):
        assert name not in cached
    assert "train-sparse" in cached


def test_gpu_is_only_asked_for_after_the_language_model_is_released(compiled):
    package = parsed(compiled)[0]
    tasks = package["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    executors = package["deploymentSpec"]["executors"]
    wants_gpu = {name for name in tasks if "accelerator" in executors[f"exec-{name}"]["container"].get("resources", {})}

    def upstream(name, seen=()):
        direct = tasks[name].get("dependentTasks", [])
        return set(direct).union(*(upstream(task) for task in direct)) if direct else set()

    assert wants_gpu == {"build-training-set", "train-sparse", "evaluate"}
    for name in wants_gpu:
        assert "release-llm" in upstream(name)
    # Nor do they run beside each other: one GPU does for a whole run.
    assert all(one in upstream(other) or other in upstream(one) for one, other in combinations(wants_gpu, 2))


def test_where_tasks_run_are_parameters_of_the_run(compiled):
    spec, platform = parsed(compiled)
    executors = {name: one["container"] for name, one in spec["deploymentSpec"]["executors"].items()}
    images = {name: one["image"] for name, one in executors.items()}
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]

    on_gpu_image = {name for name, image in images.items() if "gpu_image" in image}
    assert on_gpu_image == {f"exec-{step.replace('_', '-')}" for step in GPU_STEPS}
    assert all("cpu_image" in image for name, image in images.items() if name not in on_gpu_image)
    for name, count in (("train-sparse", "train_gpus"), ("build-training-set", "gpus"), ("evaluate", "gpus")):
        accelerator = executors[f"exec-{name}"]["resources"]["accelerator"]
        assert accelerator["resourceCount"].endswith(f"pipelinechannel--{count}']}}}}")
        assert "gpu_type" in accelerator["resourceType"]
    for name, one in executors.items():
        asked = [
            one["resources"][key] for key in ("resourceCpuRequest", "resourceMemoryRequest", "resourceMemoryLimit")
        ]
        if name in on_gpu_image:
            asked = [value.split("pipelinechannel--")[1].split("'")[0] for value in asked]
            assert asked == ["cpu_request", "memory_request", "memory_limit"]
        else:
            assert asked == ["1", "2Gi", "16Gi"]
    for name in on_gpu_image:
        assert "node_selector" in str(pods[name]["nodeSelector"]) and "tolerations" in str(pods[name]["tolerations"])
    for pod in pods.values():
        secrets = [secret["secretNameParameter"]["componentInputParameter"] for secret in pod["secretAsEnv"]]
        assert [name.removeprefix("pipelinechannel--") for name in secrets] == ["s3_secret", "llm_secret"]


def test_the_server_a_run_starts_has_the_runs_gpu_type_and_secret(compiled):
    tasks = parsed(compiled)[0]["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    given = tasks["serve-llm"]["inputs"]["parameters"]
    for name in ("gpu_type", "llm_secret"):
        assert given[name] == {"componentInputParameter": f"pipelinechannel--{name}"}


def test_every_parameter_of_a_task_reaches_it(compiled):
    spec = parsed(compiled)[0]
    handler = spec["components"]["comp-exit-handler-1"]
    for parent, tasks in ((spec["root"], spec["root"]["dag"]["tasks"]), (handler, handler["dag"]["tasks"])):
        known = parent["inputDefinitions"]["parameters"]
        for name, task in tasks.items():
            for source in task.get("inputs", {}).get("parameters", {}).values():
                assert source.get("componentInputParameter", next(iter(known))) in known, name


def test_whatever_goes_into_a_step_or_comes_out_of_it_is_described_in_the_ui(compiled):
    components = parsed(compiled)[0]["components"].values()
    of_steps = [component for component in components if "executorLabel" in component]
    assert len(of_steps) == len(STEPS)
    for component in of_steps:
        for side in ("inputDefinitions", "outputDefinitions"):
            for kind in ("artifacts", "parameters"):
                for name, found in component.get(side, {}).get(kind, {}).items():
                    assert found.get("description"), f"{component['executorLabel']}: {name}"


def test_every_task_is_tried_again_and_ends(compiled):
    spec, platform = parsed(compiled)
    tasks = {**spec["root"]["dag"]["tasks"], **spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]}
    tasks.pop("exit-handler-1")
    assert len(tasks) == len(STEPS)
    assert all(task["retryPolicy"]["maxRetryCount"] == 2 for task in tasks.values())
    assert all(task["retryPolicy"]["backoffDuration"] == "30s" for task in tasks.values())
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert all(int(pod["activeDeadlineSeconds"]) >= 3600 for pod in pods.values())


def test_no_task_runs_as_root(compiled):
    pods = parsed(compiled)[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert {name: pod["securityContext"] for name, pod in pods.items()} == dict.fromkeys(pods, {"runAsNonRoot": True})


def test_no_credential_stands_in_the_package(compiled, monkeypatch, tmp_path):
    for name in (*(variable for keys in SECRETS.values() for variable in keys.values()), "KFP_TOKEN"):
        monkeypatch.setenv(name, "planted-secret-4711")
    assert "planted-secret-4711" not in compile_pipeline(tmp_path / "p.yaml").read_text(encoding="utf-8")


def test_the_names_of_secrets_are_those_the_manifests_make(compiled):
    given = parsed(compiled)[0]["root"]["inputDefinitions"]["parameters"]
    assert [given[name]["defaultValue"] for name in ("s3_secret", "llm_secret")] == list(SECRETS)


def test_as_kubernetes_objects_it_is_the_same_pipeline(compiled, tmp_path):
    pipeline, version = parsed(compile_manifests(tmp_path / "objects.yaml", "team"))

    assert typed.check([pipeline, version]) == []
    assert (pipeline["kind"], version["kind"]) == ("Pipeline", "PipelineVersion")
    assert {pipeline["metadata"]["namespace"], version["metadata"]["namespace"]} == {"team"}
    assert version["spec"]["pipelineName"] == pipeline["metadata"]["name"]
    spec, platform = parsed(compiled)
    assert version["spec"]["pipelineSpec"] == spec and version["spec"]["platformSpec"] == platform


def test_everything_runs_inside_the_exit_handler(compiled):
    root_tasks = parsed(compiled)[0]["root"]["dag"]["tasks"]

    assert set(root_tasks) == {"exit-handler-1", "stop-llm"}
    assert root_tasks["stop-llm"]["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"


@pytest.mark.parametrize("recipe", [*recipes.RECIPES, *(f"smoke+{variant}" for variant in recipes.VARIANTS)])
def test_every_recipe_is_a_valid_config_of_every_step(recipe):
    arguments = recipes.arguments(recipe)

    assert set(arguments) == set(STEPS)
    for step, values in arguments.items():
        assert isinstance(recipes.config_class(step).parse(values), StepConfig)


def test_a_variant_changes_nothing_but_its_own_part():
    size, variant = recipes.arguments("smoke"), recipes.arguments("smoke+no_dictionary+ratio_1_1")

    assert {step for step in STEPS if size[step] != variant[step]} == {"check_prerequisites", "train_sparse"}
    assert variant["check_prerequisites"]["recipe"] == "smoke+no_dictionary+ratio_1_1"
    changed = ("dictionary_weight", "translation_share", "synthetic_share")
    assert [variant["train_sparse"][name] for name in changed] == [0.0, 0.0, 0.5]
    assert variant["train_sparse"]["max_steps"] == 20  # smoke's own


def test_settings_override_the_recipe():
    arguments = recipes.arguments("smoke", ["train_sparse.max_steps=7", "serve_llm.allow_external=true"])

    assert arguments["train_sparse"]["max_steps"] == 7
    assert arguments["serve_llm"]["allow_external"] is True
    assert arguments["ingest_corpus"]["max_documents"] == 60  # smoke's own


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train_sparse.max_step=7", "max_step"),
        ("train.max_steps=7", "no step 'train'"),
        ("max_steps=7", "step.key=value"),
        ("train_sparse.max_steps=many", "max_steps"),
        ("train_sparse.max_steps=[", "cannot read the value"),
    ],
)
def test_wrong_settings_are_refused_by_name(setting, message):
    with pytest.raises(ConfigError, match=message):
        recipes.arguments("small", [setting])


def test_unknown_recipe_names_the_known_ones():
    for unknown in ("tiny", "small+fast", "small+", "no_dictionary"):
        with pytest.raises(ConfigError, match="smoke, small, full; each may be followed by .no_synthetic"):
            recipes.arguments(unknown)
