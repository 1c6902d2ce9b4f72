"""The cluster's objects, as data."""

import pytest
import yaml

from kosparse.config import ServeLlmConfig
from kosparse.errors import ConfigError
from kosparse.llm import kserve, manifests

CONFIG = ServeLlmConfig(
    model="openai/gpt-oss-20b",
    quantization="mxfp4",
    revision="6cee5e8",
    max_model_length=8192,
    gpus=4,
    tensor_parallel=2,
    replicas=3,
    deadline_seconds=3600,
    node_selector={"gpu": "h100"},
)
OWNER = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "kosparse-x1", "uid": "u-1"}


def pod(job):
    return job["spec"]["template"]["spec"]


def container(config=CONFIG):
    [found] = pod(manifests.job(config, "run", "image:1"))["containers"]
    return found


def environment(config=CONFIG):
    return {item["name"]: item.get("value") for item in container(config)["env"]}


def after(arguments, name):
    return arguments[arguments.index(name) + 1]


def test_no_gpu_outlives_the_run():
    job = manifests.job(CONFIG, "run", "image:1", OWNER)
    assert job["spec"]["activeDeadlineSeconds"] == 3600 and job["spec"]["ttlSecondsAfterFinished"] > 0
    for made in (job, manifests.service("run", OWNER)):
        [owner] = made["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("Workflow", "u-1", False)
    assert "ownerReferences" not in manifests.service("run")["metadata"]


def test_the_service_finds_the_jobs_pods_and_steps_the_service():
    labels = manifests.job(CONFIG, "run", "image:1")["spec"]["template"]["metadata"]["labels"]
    service = manifests.service("run")
    assert service["spec"]["selector"].items() <= labels.items()
    assert manifests.base_url("run") == f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}/v1"
    assert manifests.base_url("run") != manifests.base_url("other")  # two runs of one namespace


def test_size_and_place_are_the_configs():
    job = manifests.job(CONFIG, "run", "image:1")
    assert (job["spec"]["parallelism"], job["spec"]["completions"]) == (3, 3)
    assert pod(job)["nodeSelector"] == {"gpu": "h100"}
    assert pod(job)["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert container()["resources"]["limits"]["nvidia.com/gpu"] == "4"
    assert after(container()["args"], "--tensor-parallel-size") == "2"
    assert after(container()["args"], "--pipeline-parallel-size") == "2"  # 4 GPUs in groups of 2


def test_gpus_of_another_kind_and_a_key_of_another_secret_are_asked_for_by_name():
    made = container(CONFIG.model_copy(update={"gpu_type": "amd.com/gpu", "key_secret": "team-llm"}))
    assert made["resources"]["requests"]["amd.com/gpu"] == made["resources"]["limits"]["amd.com/gpu"] == "4"
    assert made["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "team-llm", "key": "api_key", "optional": True}
    assert "nvidia.com/gpu" not in made["resources"]["limits"] and "kosparse-llm" not in str(made["env"])


def test_the_key_comes_from_a_secret_and_the_model_from_the_config():
    key = next(item for item in container()["env"] if item["name"] == "VLLM_API_KEY")
    assert "value" not in key and key["valueFrom"]["secretKeyRef"]["name"] == "kosparse-llm"
    arguments = container()["args"]
    assert after(arguments, "--model") == "openai/gpt-oss-20b" and after(arguments, "--max-model-len") == "8192"
    assert after(arguments, "--revision") == "6cee5e8"


def test_the_served_names_tell_model_revision_and_precision():
    arguments = container()["args"]
    start = arguments.index("--served-model-name") + 1
    assert manifests.read_alias(arguments[start : start + 2]) == ("openai/gpt-oss-20b", "6cee5e8", "mxfp4")
    assert manifests.read_alias(["someone/elses"]) == ("someone/elses", "", "")


@pytest.mark.parametrize(
    ("precision", "expected"),
    [("bf16", ["--dtype", "bfloat16"]), ("fp16", ["--dtype", "float16"]), ("fp8", ["--quantization", "fp8"])],
)
def test_vllm_is_told_the_precision_in_its_words(precision, expected):
    arguments = " ".join(container(CONFIG.model_copy(update={"quantization": precision}))["args"])
    assert " ".join(expected) in arguments


def test_probes_need_no_key():
    # /v1/models answers 401 to a probe as soon as there is a key: the pod would never be ready.
    probes = [container()[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert probes == ["/health"] * 3
    startup = container()["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == CONFIG.ready_timeout_seconds


def test_models_are_kept_on_the_claim():
    volumes = {volume["name"]: volume for volume in pod(manifests.job(CONFIG, "run", "image:1"))["volumes"]}
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == "kosparse-models"
    assert environment()["HF_HOME"].startswith("/models") and "TIKTOKEN_ENCODINGS_BASE" not in environment()
    without = pod(manifests.job(CONFIG.model_copy(update={"model_cache_claim": ""}), "run", "image:1"))["volumes"]
    assert without[0] == {"name": "models", "emptyDir": {}}


def test_an_air_gapped_pod_reads_everything_from_the_claim():
    found = environment(CONFIG.model_copy(update={"air_gapped": True}))
    assert found["HF_HUB_OFFLINE"] == "1" and found["TIKTOKEN_ENCODINGS_BASE"] == "/models/tiktoken"


def test_the_pod_keeps_to_the_restricted_profile():
    spec = pod(manifests.job(CONFIG, "run", "image:1"))
    assert spec["securityContext"]["runAsNonRoot"] and not spec["automountServiceAccountToken"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@pytest.mark.parametrize("run", ["7f3a", "Run_7/b", "x" * 200, "end-" * 13, "실행-7"])
def test_names_are_dns_labels(run):
    name = manifests.server_name(run)
    assert len(name) <= 63 and name.strip("-") == name and name.replace("-", "").isalnum() and name == name.lower()
    assert name.isascii()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gpus": 3, "tensor_parallel": 2}, "multiple of tensor_parallel"),
        ({"air_gapped": True, "model_cache_claim": ""}, "needs a model_cache_claim"),
        ({"quantization": "int3"}, "quantization"),
        ({"replicas": 0}, "replicas"),
    ],
)
def test_what_cannot_be_is_refused_by_name(settings, message):
    with pytest.raises(ConfigError, match=message):
        ServeLlmConfig.parse(settings, step="serve_llm")


def test_kserve_runs_the_same_container_without_a_deadline():
    found = manifests.inference_service(CONFIG, "korean-llm", "image:1")
    predictor = found["spec"]["predictor"]

    assert (found["apiVersion"], found["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (3, 3)
    assert predictor["containers"] == [{**container(), "name": "kserve-container"}]
    assert predictor["volumes"] == pod(manifests.job(CONFIG, "run", "image:1"))["volumes"]
    assert "activeDeadlineSeconds" not in str(found) and "restartPolicy" not in predictor


def test_kserves_object_is_printed_for_kubectl(capsys):
    assert kserve.main(["--image", "vllm:1", "--set", "model=openai/gpt-oss-20b", "--set", "gpus=2"]) == 0
    found = yaml.safe_load(capsys.readouterr().out)
    assert found["spec"]["predictor"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"

    assert kserve.main(["--image", "vllm:1"]) == 2
    assert "packaged" in capsys.readouterr().err
