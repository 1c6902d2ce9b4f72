#!/bin/sh
# Inside a build: install.sh ENVIRONMENT MEGABYTES LOCK...
# Makes the virtual environment if there is none and installs locks that lie beside this script, hash-checked
# and without resolving. Ends with what was found and what to do.
set -eu
cd "$(dirname "$0")"
environment=$1 megabytes=$2
shift 2

fail() { # fail WHAT TO_DO
  printf '\nimage: %s\n  to do: %s\n' "$1" "$2" >&2
  exit 1
}

machine=$(uname -m)
[ "$machine" = x86_64 ] ||
  fail "this is $machine, the locks hold wheels for x86-64" "build on such a machine, or with --platform linux/amd64"

for lock in "$@"; do
  [ -s "$lock" ] || fail "the lock file $lock is missing" "bash requirements/lock.sh, and COPY it beside install.sh"
done

free=$(df -Pm "$(dirname "$environment")" | awk 'NR == 2 { print $4 }')
[ "$free" -ge "$megabytes" ] ||
  fail "$megabytes MB are needed in the build's storage, $free MB are free" "remove old images (docker system prune)"

python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' ||
  fail "the base image has no Python 3.11 with venv" "set BASE to a python:3.11 image"

# PyTorch's CPU builds have an index of their own; everything else comes from pip's.
index=
case " $* " in *" torch-cpu.lock "*) index=${TORCH_INDEX:-} ;; esac

install() { # install LOCK...
  locks=
  for lock in "$@"; do locks="$locks -r $lock"; done
  # What comes as source is built with the setuptools of the lock, not with whatever is newest today.
  # shellcheck disable=SC2086  # the arguments are words
  "$environment/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check --no-deps \
    --require-hashes --no-build-isolation --use-pep517 --prefer-binary \
    ${index:+--extra-index-url "$index"} $locks >install.log 2>&1 || explain
}

explain() {
  tail -n 30 install.log >&2
  case $(cat install.log) in
    *"No space left"*) fail "the disk is full" "remove old images (docker system prune), then build again" ;;
    *"DO NOT MATCH THE HASHES"*)
      fail "the registry serves other bytes than were locked" "find out why; if it is meant, bash requirements/lock.sh" ;;
    *"No matching distribution"* | *onnection* | *"name resolution"* | *"timed out"*)
      fail "packages cannot be fetched" \
        "check the network; for a mirror: BUILD_ARGS='--build-arg PIP_INDEX_URL=https://mirror/simple'" ;;
    *) fail "pip could not install $locks" "read its words above" ;;
  esac
}

[ -x "$environment/bin/python" ] || python3 -m venv "$environment"
cat "$@" | awk '/^[a-zA-Z0-9]/ { keep = /^setuptools==/ } keep' >setuptools.lock
if [ -s setuptools.lock ]; then install setuptools.lock; fi
install "$@"
