#!/usr/bin/env bash
# For a machine that reaches no image registry: `bash images/stand_in.sh` installs what builds and runs images
# without a Docker engine, and makes kosparse-base:bookworm from Debian's packages, in place of python:3.11-slim.
set -euo pipefail
NAME=localhost/kosparse-base:bookworm

fail() { # fail WHAT TO_DO
  printf 'stand-in: %s\n  to do: %s\n' "$1" "$2" >&2
  exit 1
}

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
  fail "this is $(uname -s) on $(uname -m), the images are for Linux on x86-64" "use such a machine"
[ "$(id -u)" = 0 ] || fail "root is needed to make a base image and to build on it" "run as root, or use make images"
command -v apt-get >/dev/null || fail "this is no Debian or Ubuntu" "use make images, with Docker or Podman"

missing=()
for package in buildah podman debootstrap runc; do
  command -v "$package" >/dev/null || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"; } >/dev/null; then
    fail "could not install ${missing[*]}" "check the network and apt's settings, then run again"
  fi
fi

if buildah inspect --type image "$NAME" >/dev/null 2>&1; then exit 0; fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
free=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
[ "$free" -ge 1000 ] || fail "1000 MB are needed in $folder, $free MB are free" "free some space, or set TMPDIR"
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$folder" >"$folder.log" 2>&1 || {
  tail -n 5 "$folder.log" >&2
  fail "debootstrap could not make the base" "check the network, then run again"
}
rm -rf "$folder.log" "$folder"/var/cache/apt/* "$folder"/var/lib/apt/lists/*
container=$(buildah from scratch)
buildah add --quiet "$container" "$folder" / >/dev/null
buildah commit --quiet --rm "$container" "$NAME" >/dev/null
echo "stand-in: $NAME is made"
