"""The S3 adapter against a real S3 store."""

import pytest

from kosparse.adapters.store_s3 import S3Store, inside, open_store
from kosparse.errors import ConfigError, InputError, ServiceError
from kosparse.services.s3 import S3Store as Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def store(server, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return open_store()


@pytest.mark.services
def test_a_folder_comes_back_as_it_went(store, tmp_path):
    (tmp_path / "in" / "깊은 곳").mkdir(parents=True)
    (tmp_path / "in" / "깊은 곳" / "a b.txt").write_text("안녕", encoding="utf-8")
    (tmp_path / "in" / "empty").write_bytes(b"")

    assert store.mirror_folder(tmp_path / "in", "mlpipeline", "/runs/1/") == 2
    assert store.list("mlpipeline", "runs/1/") == ["runs/1/empty", "runs/1/깊은 곳/a b.txt"]
    assert store.fetch_folder("mlpipeline", "runs/1", tmp_path / "out") == 2
    assert (tmp_path / "out" / "깊은 곳" / "a b.txt").read_text(encoding="utf-8") == "안녕"
    assert (tmp_path / "out" / "empty").read_bytes() == b""


@pytest.mark.services
def test_a_prefix_ends_at_a_slash(store, tmp_path):
    (tmp_path / "a").write_text("1")
    store.upload(tmp_path / "a", "mlpipeline", "p/1/a")
    store.upload(tmp_path / "a", "mlpipeline", "p/10/a")

    assert store.fetch_folder("mlpipeline", "p/1", tmp_path / "out") == 1


@pytest.mark.services
def test_a_bucket_is_made_once(store):
    store.ensure_bucket("another")
    store.ensure_bucket("another")
    assert store.list("another", "") == []


@pytest.mark.services
def test_what_is_not_there_is_an_input_error(store, tmp_path):
    assert store.exists("mlpipeline", "nothing") is False
    with pytest.raises(InputError, match="NoSuchKey") as caught:
        store.download("mlpipeline", "nothing", tmp_path / "x")
    assert caught.value.where.startswith("s3://mlpipeline/nothing at http://")
    assert not (tmp_path / "x").exists()
    with pytest.raises(InputError, match="no such file"):
        store.upload(tmp_path / "missing", "mlpipeline", "x")


@pytest.mark.services
def test_a_conditional_write_replaces_only_what_was_read(store):
    assert store.read("mlpipeline", "small") is None
    assert store.write_if("mlpipeline", "small", b"1", etag=None)
    assert not store.write_if("mlpipeline", "small", b"2", etag=None)
    first = store.read("mlpipeline", "small")
    assert first.content == b"1" and 0 <= first.age < 3600
    assert store.write_if("mlpipeline", "small", b"2", etag=first.etag)
    assert not store.write_if("mlpipeline", "small", b"3", etag=first.etag)
    assert store.read("mlpipeline", "small").content == b"2"
    with pytest.raises(InputError, match="NoSuchBucket"):
        store.write_if("nowhere", "small", b"1", etag=None)


@pytest.mark.services
@pytest.mark.parametrize("key, secret", [("nobody", "x" * 32), (None, "x" * 32)])
def test_wrong_credentials_are_told_as_such_without_showing_them(server, key, secret):
    with pytest.raises(ServiceError, match="refuses our credentials") as caught:
        S3Store(server.endpoint, key or server.access_key, secret).list("mlpipeline", "")
    assert secret not in caught.value.message


def test_an_endpoint_where_nothing_listens_is_told_with_its_address():
    with pytest.raises(ServiceError, match="does not answer") as caught:
        S3Store("http://127.0.0.1:9", "a", "b").list("bucket", "")
    assert "http://127.0.0.1:9" in caught.value.where


@pytest.mark.parametrize("endpoint", ["", "minio-service:9000", "ftp://x", "http://", "http://x/path"])
def test_what_is_no_address_is_a_config_error(endpoint):
    with pytest.raises(ConfigError, match="not the address of an object store"):
        S3Store(endpoint, "a", "b")


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "a\\..\\b", "", "a\0b"])
def test_a_key_cannot_lead_out_of_the_folder(tmp_path, key):
    with pytest.raises(InputError, match="out of the folder"):
        inside(tmp_path, key)


def test_nor_through_a_link(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="through a link"):
        inside(tmp_path / "in", "link/x")
    assert inside(tmp_path / "in", "a/b") == tmp_path / "in" / "a" / "b"
