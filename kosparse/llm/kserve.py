"""Print KServe's InferenceService of the language model server, for ``kubectl apply -f -``.

python -m kosparse.llm.kserve --image kosparse-vllm:0.1.0 --set model=openai/gpt-oss-20b --set quantization=mxfp4
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import yaml

from kosparse.config import ServeLlmConfig
from kosparse.errors import ConfigError, KosparseError
from kosparse.llm.manifests import inference_service


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the object as YAML; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m kosparse.llm.kserve", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--name", default="kosparse-llm", help="of the InferenceService (default %(default)s)")
    parser.add_argument("--image", required=True, help="container image with vLLM")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a key of serve_llm")
    options = parser.parse_args(arguments)
    try:
        config = ServeLlmConfig.parse(dict(_setting(text) for text in options.set), step="serve_llm")
        if config.model.startswith("packaged:"):
            raise ConfigError(
                "a cluster cannot serve a packaged model", where="model", fix="Give --set model=<hub id or folder>."
            )
    except KosparseError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    print(yaml.safe_dump(inference_service(config, options.name, options.image), sort_keys=False), end="")
    return 0


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"cannot read setting {text!r}", where="--set", fix="Write key=value.")
    return key.strip(), yaml.safe_load(value)


if __name__ == "__main__":
    sys.exit(main())
