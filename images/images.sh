#!/usr/bin/env bash
# Build, push and pin the images: `bash images/images.sh build|push|pin|tag [IMAGE...]`; tags are the git SHA.
#   ENGINE      docker, podman or buildah; by default the first that works
#   BASE        a base image in place of the Dockerfiles' own
#   REGISTRY    where `push` puts them
#   BUILD_ARGS  more for the builder, for example "--build-arg PIP_INDEX_URL=https://mirror/simple"
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { # fail WHAT TO_DO
  printf 'images: %s\n  to do: %s\n' "$1" "$2" >&2
  exit 1
}
say() { printf 'images: %s\n' "$*"; }

choose_engine() {
  if [ -n "${ENGINE:-}" ]; then echo "$ENGINE"; return; fi
  local engine
  for engine in docker podman buildah; do
    if "$engine" info >/dev/null 2>&1; then echo "$engine"; return; fi
  done
  fail "neither docker, podman nor buildah works here" "install one of them; with docker, start its daemon"
}

tag() { # the commit, and whether the tree is more than it
  local sha
  sha=$(git rev-parse --short=12 HEAD 2>/dev/null) || fail "this is no git clone, and tags are the git SHA" "git clone"
  if [ -n "$(git status --porcelain --untracked-files=no)" ]; then sha+=-dirty; fi
  echo "$sha"
}

check_locks() { # check_locks DOCKERFILE: a missing one is named here; a builder would only say that a file is missing
  local lock
  for lock in $(grep -o 'requirements/[a-z/-]*\.lock' "$1" | sort -u); do
    [ -s "$lock" ] || fail "$1 wants $lock, which is missing" "bash requirements/lock.sh, or git checkout $lock"
  done
}

dockerfile_of() { echo "images/${1/vllm-cpu/vllm}/Dockerfile"; } # vllm-cpu is vllm with other locks

build() { # build IMAGE
  local dockerfile name arguments started=$SECONDS
  dockerfile=$(dockerfile_of "$1")
  [ -f "$dockerfile" ] || fail "there is no image $1" "choose among cpu, gpu, vllm, vllm-cpu, local"
  check_locks "$dockerfile"
  name=kosparse-$1:$TAG
  arguments=(--build-arg "GIT_SHA=$(git rev-parse HEAD)" --file "$dockerfile" --tag "$name")
  case $1 in
    vllm-cpu) arguments+=(--build-arg "LOCKS=torch-cpu.lock vllm.lock" --build-arg "SYSTEM=libnuma1") ;;
    local) arguments+=(--build-arg "BASE=kosparse-cpu:$TAG") ;;
  esac
  if [ -n "${BASE:-}" ] && [ "$1" != local ]; then arguments+=(--build-arg "BASE=$BASE"); fi
  say "$name, by $engine"
  # shellcheck disable=SC2086  # the arguments are words
  "$engine" build "${arguments[@]}" ${BUILD_ARGS:-} . || fail "$name was not built" "read what is above; then run again"
  say "$name: done in $((SECONDS - started)) s"
}

push() { # push IMAGE
  [ -n "${REGISTRY:-}" ] || fail "where to push is not said" "make push REGISTRY=registry.example/team"
  local name=kosparse-$1:$TAG
  "$engine" tag "$name" "$REGISTRY/$name" || fail "$name is not built" "make images"
  "$engine" push "$REGISTRY/$name" || fail "$REGISTRY does not take $name" "log in ($engine login $REGISTRY), then again"
  say "KOSPARSE_IMAGE_$(tr a-z- A-Z_ <<<"$1")=$REGISTRY/$name"
}

pin() { # pin IMAGE: write the digest that the registry gives for the base's tag into the Dockerfile
  local dockerfile base digest
  dockerfile=$(dockerfile_of "$1")
  base=$(sed -n 's/^ARG BASE=\(docker.io[^@]*\).*/\1/p' "$dockerfile")
  [ -n "$base" ] || return 0
  digest=$(digest_of "$base") || fail "no registry gave the digest of $base; nothing was written" \
    "run where the registry can be reached, with skopeo or docker buildx installed"
  sed -i "s|^ARG BASE=.*|ARG BASE=$base@$digest|" "$dockerfile"
  say "$dockerfile: $base@$digest"
}

digest_of() { # digest_of REFERENCE: as the registry tells it, never made up
  local digest
  digest=$(skopeo inspect --format '{{.Digest}}' "docker://$1" 2>/dev/null) ||
    digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$1" 2>/dev/null) || return 1
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] && echo "$digest"
}

verb=${1:-}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- cpu gpu vllm
case $verb in
  build | push)
    engine=$(choose_engine)
    TAG=$(tag)
    ;;
  pin) ;;
  tag) tag && exit ;;
  *) fail "there is no verb '$verb'" "choose among build, push, pin, tag" ;;
esac
for image in "$@"; do "$verb" "$image"; done
if [ "$verb" = push ]; then say "give these to make compile or make submit, which write them into the pipeline"; fi
