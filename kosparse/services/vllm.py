"""The embedded language model server: real vLLM on this machine's processor, on loopback.

vLLM lives in an environment of its own (``.venvs/vllm``), because it wants other versions than KFP.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from kosparse.errors import ServiceError
from kosparse.jsonl import read_json
from kosparse.services.ports import LOOPBACK, free_port, retry_ports
from kosparse.services.process import Service, new_secret

PYTHON = Path(__file__).parents[2] / ".venvs" / "vllm" / "bin" / "python"
STATE = "KOSPARSE_LLM_STATE"
"""Environment variable naming the state file by which any step can stop the server."""

_MEMORY_GB = {"bfloat16": 7.0, "float32": 11.0}
"""Free memory it takes to serve the packaged model (1.8 billion weights), measured."""
_SECONDS_FOR_AN_ANSWER = 3600.0
"""Answers share the processor: dozens of long ones take it ten minutes and more. That it died is noticed otherwise."""
_STRUCTURED_OUTPUTS = '{"backend":"xgrammar","disable_any_whitespace":true}'


def can_run() -> tuple[bool, str]:
    """Whether vLLM can serve here, and why not."""
    if not PYTHON.exists():
        return False, "vLLM is not installed (make setup)"
    if "avx2" not in _cpu_flags():
        return False, "this processor has no AVX2"
    free, needed = psutil.virtual_memory().available / 1e9, _MEMORY_GB[best_dtype()]
    if free < needed:
        return False, f"{free:.1f} GB of memory are free, vLLM needs {needed:.0f}"
    return True, ""


def best_dtype() -> str:
    """bf16 where the processor computes in it; elsewhere vLLM is faster in fp32."""
    return "bfloat16" if _cpu_flags() & {"avx512_bf16", "amx_bf16"} else "float32"


class VllmServer:
    """vLLM for one model folder or hub id.

    Args:
        folder: Where log and state are kept.
        model: Folder or hub id.
        max_model_length: Tokens of prompt and answer together.
        dtype: ``bfloat16``, ``float32``, ``float16``; None takes what is fastest here.
    """

    def __init__(self, folder: Path, model: str, *, max_model_length: int, dtype: str | None = None) -> None:
        self.folder, self.location, self.max_model_length = folder, model, max_model_length
        self.dtype = dtype or best_dtype()
        self.model = Path(model).name if Path(model).exists() else model
        self.base_url = ""
        self._key = new_secret()
        self._service: Service | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a step needs in its environment to use and to stop this server."""
        return {
            "LLM_BASE_URL": self.base_url,
            "LLM_MODEL": self.model,
            "LLM_API_KEY": self._key,
            "LLM_QUANTIZATION": {"bfloat16": "bf16", "float32": "fp32", "float16": "fp16"}[self.dtype],
            "LLM_REVISION": self._revision(),
            "LLM_TIMEOUT": str(_SECONDS_FOR_AN_ANSWER),
            STATE: str(self.folder / "llm.state.json"),
        }

    def start(self, *, wait: bool = True, timeout: float = 600.0) -> None:
        """Start the server; with ``wait``, return once it answers.

        Raises:
            ServiceError: It is not installed, or does not come up; with the end of its log.
        """
        retry_ports(self._start)
        if wait and self._service is not None:
            self._service.wait_ready(timeout)

    def check(self) -> None:
        """Raise ServiceError when the server has died."""
        if self._service is not None:
            self._service.check()

    def stop(self) -> bool:
        """Stop the server; idempotent. True when something was stopped."""
        return self._service.stop() if self._service else False

    def _start(self) -> None:
        if not PYTHON.exists():
            raise ServiceError("vLLM is not installed", where=str(PYTHON), fix="make setup")
        port = free_port()
        self.base_url = f"http://{LOOPBACK}:{port}/v1"
        self._service = Service(
            "llm",
            self._command(port),
            ready_url=f"http://{LOOPBACK}:{port}/health",
            folder=self.folder,
            environment={
                "VLLM_API_KEY": self._key,
                "VLLM_NO_USAGE_STATS": "1",
                "DO_NOT_TRACK": "1",
                "VLLM_CPU_KVCACHE_SPACE": "1",
                "VLLM_HOST_IP": LOOPBACK,
                # The engine would wait for a worker process of its own by spinning, on a core the worker needs.
                # This leaves the worker in the engine's process; the threads are set below.
                "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
                "VLLM_LOGGING_LEVEL": "WARNING",
                # By default vLLM keeps one core for itself, which halves a laptop, and its threads spin
                # while they wait, which starves whatever else runs.
                "VLLM_CPU_OMP_THREADS_BIND": "nobind",
                "OMP_WAIT_POLICY": "PASSIVE",
                "KMP_BLOCKTIME": "0",
                "OMP_NUM_THREADS": str(psutil.cpu_count(logical=False) or os.cpu_count() or 1),
                "PYTHONPATH": None,
                **({"HF_HUB_OFFLINE": "1"} if Path(self.location).exists() else {}),
            },
            grace_seconds=3.0,  # nobody waits for its answers any more, and nothing of it is kept
        )
        self._service.start(base_url=self.base_url, model=self.model)

    def _command(self, port: int) -> list[str]:
        # `vllm serve` looks up its own package's metadata under a name the CPU build does not have.
        module = [str(PYTHON), "-m", "vllm.entrypoints.openai.api_server"]
        model = ["--model", self.location, "--served-model-name", self.model, "--dtype", self.dtype]
        limits = ["--max-model-len", str(self.max_model_length), "--max-num-seqs", "64", "--enforce-eager"]
        # Prompts share whole blocks only, and 128 tokens, the default, is longer than most instructions.
        limits += ["--block-size", "32", "--distributed-executor-backend", "uni"]
        # A prompt read in parts takes a seeded request's generator back by a token, which vLLM can do on GPUs
        # only: on a processor the whole server dies of it. So a prompt that does not fit waits for the next step.
        limits += ["--no-enable-chunked-prefill"]
        where = ["--host", LOOPBACK, "--port", str(port)]
        return [*module, *model, *limits, *where, "--structured-outputs-config", _STRUCTURED_OUTPUTS]

    def _revision(self) -> str:
        """Hash of a packaged model's source, from its provenance file; empty for others."""
        provenance = Path(self.location) / "kosparse.json"
        if not provenance.is_file():
            return ""
        return str(read_json(provenance).get("sha256", ""))[:12]


def _cpu_flags() -> set[str]:
    """The processor's features, as Linux names them; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())
