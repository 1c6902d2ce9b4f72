#!/bin/sh
# Make the buckets, and one user for each reader with just its policy. Safe to run again: a user gets the
# secret that the Secret has now, which is how credentials are rotated.
set -eu
export MC_CONFIG_DIR=/tmp/mc
export MC_HOST_store="http://$ROOT_ACCESSKEY:$ROOT_SECRETKEY@minio:9000"
until mc ready store; do sleep 2; done
for bucket in mlpipeline corpus mlflow; do
  mc mb --ignore-existing "store/$bucket"
done
user() { # user NAME ACCESSKEY SECRETKEY: the keys go by standard input, where no process list shows them
  mc admin policy create store "policy-$1" "/buckets/$1.json"
  printf '%s\n%s\n' "$2" "$3" | mc admin user add store
  case "$(mc admin policy entities store --user "$2")" in # the image has no grep
    *"policy-$1"*) ;;
    *) mc admin policy attach store "policy-$1" --user "$2" ;;
  esac
}
user kosparse "$KOSPARSE_ACCESSKEY" "$KOSPARSE_SECRETKEY"
user mlflow "$MLFLOW_ACCESSKEY" "$MLFLOW_SECRETKEY"
