"""Models in this process and models elsewhere, opened by what the environment says."""

import http.server
import json
import threading

import pytest
import torch

from kosparse.adapters.chat_openai import OpenAiChatModel
from kosparse.errors import ConfigError, InputError, ResourceError
from kosparse.llm import memory
from kosparse.llm.loader import generate_text, load_llm_model, open_chat_model
from kosparse.llm.memory import DeviceMemory
from kosparse.llm.quantization import measure, require_precision
from kosparse.llm.transformers_chat import TransformersChat
from kosparse.ports import ChatRequest

PROMPTS = ["셀을 보호하려면?", "Cell", "문서의 표를 만드는 아주 긴 질문입니다. 어떻게 하면 좋을까요?"]


def linear_bytes(model, dtype):
    return sum(
        weight.numel() * weight.element_size()
        for name, weight in model.named_parameters()
        if "proj.weight" in name and weight.dtype == dtype
    )


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("int8", torch.int8), ("int4", torch.uint8)],
)
def test_weights_take_the_precision_asked_for_and_still_generate(tiny_llm, precision, dtype):
    model, tokenizer = load_llm_model(str(tiny_llm), device="cpu", quantization=precision)

    assert model.kosparse_quantization == precision
    assert linear_bytes(model, dtype) > 0
    assert len(generate_text(PROMPTS, model, tokenizer, max_new_tokens=3)) == 3


def test_a_batch_gives_the_same_texts_as_one_by_one(tiny_llm):
    model, tokenizer = load_llm_model(str(tiny_llm), device="cpu")
    alone = [generate_text(prompt, model, tokenizer, max_new_tokens=12)[0] for prompt in PROMPTS]

    assert generate_text(PROMPTS, model, tokenizer, max_new_tokens=12, batch_size=3) == alone
    assert tokenizer.padding_side == "right"  # the caller's tokenizer is as it was


def test_sampling_repeats_with_its_seed_and_differs_without(tiny_llm):
    model, tokenizer = load_llm_model(str(tiny_llm), device="cpu")

    def sample(seed):
        return generate_text(PROMPTS, model, tokenizer, max_new_tokens=12, temperature=1.0, seed=seed)

    assert sample(1) == sample(1) != sample(2)


def test_weights_left_at_another_precision_are_an_error(tiny_llm):
    model, _ = load_llm_model(str(tiny_llm), device="cpu", quantization="bf16")
    model.model.layers[0].float()

    # One of two equal layers: half of the weights.
    with pytest.raises(ResourceError, match="only 50% of the weights are bf16"):
        require_precision(measure(model), "bf16", "tiny")


def test_every_weight_is_counted_once_by_what_it_is(tiny_llm):
    model, _ = load_llm_model(str(tiny_llm), device="cpu", quantization="int4")
    measured = measure(model)

    # Two layers of 64 x (64 + 32 + 32 + 64) attention and 3 x 64 x 128 weights; embeddings (tied) of 259 x 64.
    assert measured.blocks == {"int4": 2 * (64 * 192 + 3 * 64 * 128)}
    assert measured.bytes["int4"] == measured.blocks["int4"] // 2
    assert measured.bytes["bf16"] >= 259 * 64 * 2


@pytest.mark.parametrize(("precision", "message"), [("mxfp4", "stored as fp32"), ("awq", "stored as fp32")])
def test_a_precision_the_checkpoint_cannot_have_is_refused(tiny_llm, precision, message):
    with pytest.raises(ConfigError, match=message) as error:
        load_llm_model(str(tiny_llm), device="cpu", quantization=precision)
    assert "fp32, fp16, bf16, int8, int4" in error.value.fix


def test_a_packed_checkpoint_whose_package_is_missing_says_so(tiny_llm, tmp_path):
    config = json.loads((tiny_llm / "config.json").read_text())
    for file in tiny_llm.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False}
    (tmp_path / "config.json").write_text(json.dumps(config))

    with pytest.raises(ConfigError, match="gptq needs a package that is not installed"):
        load_llm_model(str(tmp_path), device="cpu")
    with pytest.raises(ConfigError, match="stored as gptq and cannot be loaded as int8"):
        load_llm_model(str(tmp_path), device="cpu", quantization="int8")


def test_too_little_memory_is_noticed_before_any_weight_is_read(tiny_llm, monkeypatch):
    monkeypatch.setattr(memory, "check_gpu_memory", lambda: [DeviceMemory("cpu", 100_000, 100_000)])
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", None)
    with pytest.raises(ResourceError, match="0.00 GB are free"):
        load_llm_model(str(tiny_llm), device="cpu", quantization="fp32")


def test_without_a_wish_a_processor_gets_what_fits(tiny_llm, monkeypatch):
    plain = memory.read_checkpoint(str(tiny_llm))
    enough = memory.need(plain, "bf16", 512, 8).total
    assert enough < memory.need(plain, "fp32", 512, 8).total
    monkeypatch.setattr(memory, "check_gpu_memory", lambda: [DeviceMemory("cpu", enough, enough)])

    assert load_llm_model(str(tiny_llm), device="cpu")[0].kosparse_quantization == "bf16"


def test_layers_that_wait_in_main_memory_cannot_be_packed(tiny_llm):
    with pytest.raises(ConfigError, match="layers in main memory cannot be int8"):
        load_llm_model(str(tiny_llm), device="cpu", quantization="int8", cpu_offload=True)
    assert load_llm_model(str(tiny_llm), device="cpu", cpu_offload=True)[0].kosparse_quantization == "fp32"


@pytest.mark.parametrize("device", ["cuda:99", "tpu"])
def test_a_device_that_is_not_there_is_named(tiny_llm, device):
    with pytest.raises(ConfigError, match=f"no device '{device}'"):
        load_llm_model(str(tiny_llm), device=device)


def test_a_prompt_longer_than_the_models_context_is_named(tiny_llm):
    model, tokenizer = load_llm_model(str(tiny_llm), device="cpu")
    with pytest.raises(InputError, match="prompt 1 is too long: prompt and answer take .* the model has 512"):
        generate_text(["짧다", "길다" * 200], model, tokenizer, max_new_tokens=2)


def test_an_unknown_precision_lists_the_known_ones(tiny_llm):
    with pytest.raises(ConfigError, match="no precision 'int3'") as error:
        load_llm_model(str(tiny_llm), quantization="int3")
    assert "int8" in error.value.fix


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot load the language model") as error:
        load_llm_model(str(tmp_path), device="cpu")
    assert str(tmp_path) in error.value.where


def test_the_environment_opens_a_model_in_this_process_behind_the_cache(tiny_llm, tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_BACKEND", "transformers")
    monkeypatch.setenv("LLM_MODEL", str(tiny_llm))
    monkeypatch.setenv("LLM_QUANTIZATION", "")
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path))
    request = ChatRequest(({"role": "user", "content": "셀"},), max_tokens=2)

    first = open_chat_model()
    assert isinstance(first.inner, TransformersChat) and (first.model, first.quantization) == ("tiny", "fp32")
    assert [answer.cached for _, answer in first.complete([request])] == [False]
    assert [answer.cached for _, answer in open_chat_model().complete([request])] == [True]


def test_the_environment_opens_a_model_elsewhere(tmp_path, monkeypatch):
    settings = {"LLM_BACKEND": "http", "LLM_BASE_URL": "http://127.0.0.1:9/v1", "LLM_MODEL": "m"}
    settings |= {"LLM_REVISION": "abc", "LLM_QUANTIZATION": "bf16", "KOSPARSE_CACHE": str(tmp_path)}
    for name, value in {**settings, "LLM_TIMEOUT": "1800"}.items():
        monkeypatch.setenv(name, value)
    model = open_chat_model(concurrency=3)

    assert isinstance(model.inner, OpenAiChatModel) and model.inner.concurrency == 3
    assert model.inner.timeout == 1800
    assert (model.model, model.revision, model.quantization) == ("m", "abc", "bf16")


def test_an_environment_that_names_no_model_says_what_to_set(monkeypatch):
    monkeypatch.setenv("LLM_BACKEND", "http")
    monkeypatch.delenv("LLM_BASE_URL", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigError, match="no language model is configured"):
        open_chat_model()


def test_on_a_cluster_the_runs_own_server_is_found_without_an_address(tmp_path, monkeypatch):
    names = json.dumps({"data": [{"id": "openai/gpt-oss-20b"}, {"id": "kosparse:mxfp4:6cee5e8"}]}).encode()

    class Models(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(names)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Models)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    for name, value in {"LLM_BACKEND": "http", "LLM_BASE_URL": "", "LLM_MODEL": "", "KOSPARSE_RUN_ID": "r7"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path))
    asked = []
    address = f"http://127.0.0.1:{server.server_port}/v1"
    monkeypatch.setattr("kosparse.llm.manifests.base_url", lambda run: asked.append(run) or address)

    model = open_chat_model()

    assert asked == ["r7"]
    assert (model.model, model.revision, model.quantization) == ("openai/gpt-oss-20b", "6cee5e8", "mxfp4")
    server.shutdown()
    server.server_close()


def test_the_quantization_bitsandbytes_config_is_not_left_in_the_checkpoint(tiny_llm):
    load_llm_model(str(tiny_llm), device="cpu", quantization="int8")
    assert "quantization_config" not in json.loads((tiny_llm / "config.json").read_text())
