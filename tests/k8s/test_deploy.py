"""Secrets are made once and never shown; data outlives undeploy."""

import base64
import json
import re
from pathlib import Path

import pytest

from k8s import build, credentials, deploy
from kosparse.errors import ConfigError, ServiceError


class FakeCluster:
    """Keeps Secrets, and every call with its standard input."""

    def __init__(self):
        self.secrets, self.calls = {}, []

    def run(self, *arguments, text=""):
        self.calls.append((arguments, text))
        if arguments[:2] == ("get", "secret"):
            found = self.secrets.get((arguments[4], arguments[2]))
            encoded = {key: base64.b64encode(value.encode()).decode() for key, value in (found or {}).items()}
            return json.dumps({"data": encoded}) if found else ""
        if arguments[0] == "create":
            body = json.loads(text)
            self.secrets[body["metadata"]["namespace"], body["metadata"]["name"]] = body["stringData"]
        return ""

    def sent(self, verb):
        """Objects that went with a verb, in order, as (kind, name)."""
        lists = [json.loads(text)["items"] for arguments, text in self.calls if arguments[0] == verb]
        return [(item["kind"], item["metadata"]["name"]) for items in lists for item in items]


def test_missing_secrets_are_made_and_the_same_name_has_the_same_values(built):
    cluster = FakeCluster()
    deploy.up(cluster, built("gpu"))

    assert {space for space, name in cluster.secrets if name == "kosparse-s3"} == {"kosparse", "kosparse-services"}
    assert cluster.secrets["kosparse", "kosparse-s3"] == cluster.secrets["kosparse-services", "kosparse-s3"]
    values = [value for secret in cluster.secrets.values() for value in secret.values()]
    assert len(set(values)) == len(values) - 2
    assert all(len(value) >= 20 and value.isalnum() for value in values)  # they stand in addresses


def test_a_secret_that_is_there_stays_as_it_is_and_is_copied_to_where_it_is_missing(built):
    cluster = FakeCluster()
    cluster.secrets["kosparse", "kosparse-s3"] = {"accesskey": "mine", "secretkey": "my-own-secret"}
    list(credentials.ensure(cluster, built("gpu")))

    assert cluster.secrets["kosparse", "kosparse-s3"]["accesskey"] == "mine"
    assert cluster.secrets["kosparse-services", "kosparse-s3"]["secretkey"] == "my-own-secret"
    made = dict(cluster.secrets)
    list(credentials.ensure(cluster, built("gpu")))
    assert cluster.secrets == made


def test_values_are_neither_arguments_nor_printed(built, capsys):
    cluster = FakeCluster()
    deploy.up(cluster, built("gpu"))
    seen = capsys.readouterr().out + "".join(" ".join(arguments) for arguments, _ in cluster.calls)

    for secret in cluster.secrets.values():
        assert not any(value in seen for value in secret.values())


def test_namespaces_come_first_then_secrets_then_the_rest_and_it_waits(built):
    cluster = FakeCluster()
    deploy.up(cluster, built("local"))

    verbs = [arguments[0] for arguments, _ in cluster.calls]
    assert verbs.index("apply") < verbs.index("create") < len(verbs) - 1 - verbs[::-1].index("apply")
    assert cluster.sent("apply")[:2] == [("Namespace", "kosparse-services"), ("Namespace", "kubeflow")]
    waited = [arguments[2] for arguments, _ in cluster.calls if arguments[:2] == ("rollout", "status")]
    assert sorted(waited) == ["deployment/mlflow", "statefulset/minio", "statefulset/postgres"]
    assert any(arguments[:2] == ("wait", "job/kosparse-buckets") for arguments, _ in cluster.calls)


def external(built):
    documents = built("external-services")
    return json.loads(json.dumps(documents).replace("example.com", "search.corp"))


def test_example_addresses_are_refused(built):
    cluster = FakeCluster()
    with pytest.raises(ConfigError, match="stands for an address of yours"):
        deploy.up(cluster, built("external-services"))
    assert cluster.calls == []


def test_credentials_of_other_peoples_services_are_asked_for(built):
    with pytest.raises(ConfigError, match="--from-literal=accesskey=... --from-literal=secretkey=..."):
        deploy.up(FakeCluster(), external(built))


def test_with_them_it_goes_through_and_tells_that_the_model_has_no_key(built, capsys):
    cluster = FakeCluster()
    cluster.secrets["kosparse", "kosparse-s3"] = {"accesskey": "a", "secretkey": "b"}
    deploy.up(cluster, external(built))

    assert "kosparse-llm is not in kosparse" in capsys.readouterr().out
    assert ("ConfigMap", "kfp-launcher") in cluster.sent("apply")


def test_manifests_with_problems_are_not_applied(built, find):
    documents = built("gpu")
    find(documents, "Deployment", "mlflow")["spec"]["replica"] = 1
    cluster = FakeCluster()
    with pytest.raises(ConfigError, match="unknown field"):
        deploy.up(cluster, documents)
    assert cluster.calls == []


def test_undeploy_keeps_what_holds_data(built):
    cluster = FakeCluster()
    deploy.down(cluster, built("gpu"))

    kinds = {kind for kind, _ in cluster.sent("delete")}
    assert {"StatefulSet", "Deployment", "Role"} <= kinds
    assert kinds.isdisjoint({"Namespace", "PersistentVolumeClaim", "Secret"})


@pytest.mark.parametrize(
    ("overlay", "namespaces"),
    [("gpu", ["kosparse", "kosparse-services"]), ("local", ["kosparse-services"])],
)
def test_purge_removes_our_namespaces_and_no_others(overlay, namespaces, built):
    cluster = FakeCluster()
    deploy.down(cluster, built(overlay), purge=True)

    assert sorted(name for kind, name in cluster.sent("delete") if kind == "Namespace") == namespaces
    assert ("PersistentVolumeClaim", "kosparse-models") in cluster.sent("delete")
    assert cluster.sent("delete").count(("Secret", "kosparse-s3")) == 2


def test_purge_leaves_secrets_that_are_of_other_peoples_services(built):
    cluster = FakeCluster()
    deploy.down(cluster, external(built), purge=True)

    assert "Secret" not in {kind for kind, _ in cluster.sent("delete")}


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A PATH with nothing on it but what a test writes."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(name, script):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return str(program)

    return write


def test_what_kubectl_says_is_the_reason(path):
    path("kubectl", 'echo "error: first line" >&2; echo "Unable to connect to the server" >&2; exit 1')
    with pytest.raises(ServiceError, match="kubectl apply fails: Unable to connect to the server"):
        deploy.Kubectl().run("apply", "--filename", "-")


def test_kubectl_gets_its_input(path):
    path("kubectl", "echo $1; read line; echo $line")
    assert deploy.Kubectl().run("apply", text="hello\n") == "apply\nhello\n"


def test_kustomize_is_preferred_then_kubectl_then_the_one_of_set_up(path, tmp_path, monkeypatch):
    installed = tmp_path / "set-up" / "kubectl"
    monkeypatch.setattr(build, "_INSTALLED", installed)
    with pytest.raises(ServiceError, match="there is no kubectl"):
        build.kustomize()
    installed.parent.mkdir()
    installed.touch()
    assert build.kustomize() == [str(installed), "kustomize"]
    kubectl = path("kubectl", "")
    assert build.kustomize() == [kubectl, "kustomize"]
    kustomize = path("kustomize", "")
    assert build.kustomize() == [kustomize, "build"]


def test_an_overlay_that_is_not_there_names_those_that_are(capsys):
    assert deploy.main(["up", "lokal"]) == 2
    assert "external-services, gpu, kserve, local" in capsys.readouterr().err


def test_the_help_of_make_deploy_names_every_overlay():
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    named = re.search(r"^deploy:.*\[OVERLAY=([^] ]*)", makefile, re.MULTILINE)
    assert sorted(named[1].split("|")) == build.overlays()


def test_what_kustomize_refuses_is_told(tmp_path):
    (tmp_path / "kustomization.yaml").write_text("resources: [missing.yaml]\n")
    with pytest.raises(ConfigError, match="kustomize refuses it"):
        build.build_folder(tmp_path)
