"""Every overlay is sound, and agrees with the code that relies on it."""

import re
from pathlib import Path

import pytest
import yaml

from components import images
from k8s import credentials
from k8s.build import ROOT, overlays
from k8s.check import network, pods, typed
from k8s.check.__main__ import excepted, main, problems
from kosparse.config import ServeLlmConfig
from kosparse.llm import kserve, manifests
from pipelines import deployment, recipes

FULL = ServeLlmConfig.parse(recipes.arguments("full")["serve_llm"])


def test_there_are_the_five_overlays():
    assert overlays() == ["external-services", "gpu", "kserve", "local", "trainer"]


@pytest.mark.parametrize("overlay", overlays())
def test_overlays_have_no_problems_but_the_exceptions(overlay, built):
    assert [str(problem) for problem in problems(built(overlay)) if not excepted(problem)] == []


def test_the_command_checks_all_of_them_and_finds_every_exception_used(capsys):
    assert main([]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == overlays()


@pytest.mark.parametrize("overlay", overlays())
def test_secrets_and_config_are_named_as_the_compiled_pipeline_expects(overlay, built, find):
    documents = built(overlay)
    space = credentials.places(documents)["runs"]
    keys = credentials.keys_of_secrets(documents)

    for secret, variables in deployment.SECRETS.items():
        assert set(keys[space, secret]) == set(variables)
    config = find(documents, "ConfigMap", deployment.CONFIG_MAP)
    assert config["metadata"]["namespace"] == space
    assert set(config["data"]) <= set(deployment.CONFIG_KEYS)


def test_templates_of_secrets_hold_no_value():
    for template in credentials.templates():
        assert set(template["stringData"].values()) == {""}
        assert "data" not in template


@pytest.mark.parametrize("overlay", overlays())
def test_kfp_keeps_artifacts_where_steps_look_for_them(overlay, built, find):
    documents = built(overlay)
    launcher, config = find(documents, "ConfigMap", "kfp-launcher"), find(documents, "ConfigMap", "kosparse")
    assert launcher["metadata"]["namespace"] == config["metadata"]["namespace"]
    provider = yaml.safe_load(launcher["data"]["providers"])["minio"]["default"]

    scheme, address = config["data"]["s3_endpoint"].split("://")
    assert (provider["endpoint"], provider["disableSSL"]) == (address, scheme == "http")
    assert provider["region"] == config["data"]["s3_region"]
    reference = provider["credentials"]["secretRef"]
    keys = {reference["accessKeyKey"], reference["secretKeyKey"]}
    assert keys == set(deployment.SECRETS[reference["secretName"]])
    assert launcher["data"]["defaultPipelineRoot"].startswith("minio://mlpipeline/")


@pytest.mark.parametrize("overlay", ["gpu", "kserve", "local"])
def test_addresses_in_the_config_are_services_of_the_build(overlay, built, find):
    documents = built(overlay)
    config = find(documents, "ConfigMap", "kosparse")["data"]

    for key in ("s3_endpoint", "mlflow_tracking_uri"):
        name, space, port = re.fullmatch(r"http://([\w-]+)\.([\w-]+):(\d+)", config[key]).groups()
        service = find(documents, "Service", name)
        assert service["metadata"]["namespace"] == space
        assert [entry["port"] for entry in service["spec"]["ports"]] == [int(port)]


def test_mlflow_lets_its_own_address_through(built, find):
    documents = built("gpu")
    address = find(documents, "ConfigMap", "kosparse")["data"]["mlflow_tracking_uri"].removeprefix("http://")
    [container] = find(documents, "Deployment", "mlflow")["spec"]["template"]["spec"]["containers"]
    hosts = {entry["name"]: entry.get("value") for entry in container["env"]}["MLFLOW_SERVER_ALLOWED_HOSTS"]

    assert address in hosts.split(",")


def test_mlflow_is_the_version_that_runs_locally(built, find):
    wanted = re.search(r"^mlflow==(.+)$", (ROOT.parent / "requirements" / "mlflow.in").read_text(), re.MULTILINE)[1]
    [container] = find(built("gpu"), "Deployment", "mlflow")["spec"]["template"]["spec"]["containers"]

    assert container["image"] == f"ghcr.io/mlflow/mlflow:v{wanted}-full"


def test_buckets_of_the_bootstrap_are_those_the_code_writes_to():
    script = (ROOT / "base/services/buckets/make.sh").read_text()

    made = re.search(r"for bucket in (.+); do", script)[1].split()
    assert made == ["mlpipeline", "corpus", "mlflow"]
    for name, buckets in {"kosparse": {"mlpipeline", "corpus"}, "mlflow": {"mlflow"}}.items():
        policy = yaml.safe_load((ROOT / f"base/services/buckets/{name}.json").read_text())
        resources = {resource for statement in policy["Statement"] for resource in statement["Resource"]}
        assert {resource.split(":::")[1].split("/")[0] for resource in resources} == buckets


def test_the_claim_is_the_one_servers_mount(built, find):
    assert find(built("gpu"), "PersistentVolumeClaim", FULL.model_cache_claim)


def test_the_inference_service_is_what_the_command_in_its_first_line_prints(capsys):
    path = Path(ROOT / "overlays/kserve/llm/inference-service.yaml")
    command = path.read_text().split("\n")[0].removeprefix("# python -m kosparse.llm.kserve ")
    kserve.main(command.split())

    assert yaml.safe_load(path.read_text()) == yaml.safe_load(capsys.readouterr().out)
    assert images.VLLM in command or "KOSPARSE_IMAGE_VLLM" in command


def test_runs_reach_the_inference_service_by_an_address_of_the_cluster(built, find):
    config = find(built("kserve"), "ConfigMap", "kosparse")["data"]
    service = find(built("kserve"), "InferenceService", "kosparse-llm")
    [container] = service["spec"]["predictor"]["containers"]

    assert config["llm_base_url"] == "http://kosparse-llm-predictor.kosparse.svc.cluster.local/v1"
    assert config["llm_model"] == container["args"][container["args"].index("--model") + 1]


def server_objects(config=FULL):
    objects = [manifests.job(config, "run-1", images.VLLM), manifests.service("run-1")]
    for item in objects:
        item["metadata"]["namespace"] = "kosparse"
    return objects


def test_what_a_run_starts_is_typed_and_restricted_too():
    found = typed.check(server_objects()) + pods.check(server_objects())

    # the two that exceptions.yaml allows to the same container under KServe
    assert {(problem.rule, problem.what.split(": ")[1]) for problem in found} == {
        ("read-only", "its root file system can be written"),
        ("resources", "has no limits.cpu"),
    }


def test_policies_and_budget_know_a_runs_server_by_its_labels(built, find):
    labels = server_objects()[0]["spec"]["template"]["metadata"]["labels"]
    documents = built("gpu")

    assert network.matches(find(documents, "PodDisruptionBudget", "kosparse-llm")["spec"]["selector"], labels)
    policies = network.Network(documents)
    server = network.End("kosparse", labels)
    assert policies.allows(
        network.End("kosparse", {"pipelines.kubeflow.org/v2_component": "true"}), server, manifests.PORT
    )
    assert not policies.allows(network.End("kosparse", {}), server, manifests.PORT)


def test_gpu_quota_covers_a_server_of_the_full_recipe(built, find):
    quota = find(built("gpu"), "ResourceQuota", "kosparse")["spec"]["hard"]

    assert int(quota["requests.nvidia.com/gpu"]) >= FULL.replicas * FULL.gpus
