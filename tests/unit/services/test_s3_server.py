"""The embedded S3 store keeps its data and credentials, and refuses what it should."""

import stat

import psutil
import pytest

from kosparse.adapters.store_s3 import S3Store as Client
from kosparse.errors import InputError, ServiceError
from kosparse.services.s3 import S3Store

pytestmark = pytest.mark.services


def client(server: S3Store) -> Client:
    return Client(server.endpoint, server.access_key, server.secret_key, server.region)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("s3")


def test_objects_and_credentials_survive_a_restart_on_other_ports(folder, tmp_path):
    (tmp_path / "a.txt").write_text("안녕")
    with S3Store(folder) as first:
        client(first).upload(tmp_path / "a.txt", "mlpipeline", "x/a.txt")
    with S3Store(folder) as second:
        client(second).download("mlpipeline", "x/a.txt", tmp_path / "b.txt")
        (tmp_path / "c.txt").write_text("new")
        client(second).upload(tmp_path / "c.txt", "mlpipeline", "x/c.txt")
        client(second).download("mlpipeline", "x/a.txt", tmp_path / "b.txt")
    assert (tmp_path / "b.txt").read_text() == "안녕", "a new object does not overwrite an old one"
    assert (first.access_key, first.secret_key) == (second.access_key, second.secret_key)
    assert stat.S_IMODE((folder / "s3.config.json").stat().st_mode) == 0o600


def test_it_listens_on_loopback_only_and_makes_no_bucket_by_itself(folder, tmp_path):
    (tmp_path / "a").write_text("x")
    with S3Store(folder) as server:
        service = server._service
        assert service is not None and service.pid is not None
        weed = psutil.Process(service.pid).children()[0]
        listening = {c.laddr.ip for c in weed.net_connections() if c.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        with pytest.raises(InputError, match="NoSuchBucket"):
            client(server).upload(tmp_path / "a", "mistyped", "a")


def test_two_stores_in_one_folder_are_refused(folder):
    with S3Store(folder), pytest.raises(ServiceError, match="already runs"):
        S3Store(folder).start()
