import datetime
import ipaddress
import json
import shutil

import pytest

from kosparse.cli import main
from kosparse.commands import opensearch
from kosparse.errors import ConfigError, InputError, ServiceError
from kosparse.export.opensearch import MANIFEST, make_manifest, write_bundle
from kosparse.export.query_weights import query_weights
from kosparse.jsonl import write_json, write_records
from kosparse.records import Document, Passage
from kosparse.sparse.pruning import Pruning
from kosparse.sparse.search import SparseIndex
from tests.fakes.opensearch_server import FakeOpenSearch
from tests.fakes.tiny_sparse_encoder import TEXTS, write_tiny_morpheme_encoder, write_tiny_sparse_encoder

INDEX, ALL = "kosparse-docs", Pruning()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run's folder, as far as these commands read it; not to be changed."""
    run = tmp_path_factory.mktemp("run")
    documents = [Document(id=f"d{place}", title=f"제목 {place}", text=text) for place, text in enumerate(TEXTS)]
    passages = [Passage(id=f"{row.id}#0", document_id=row.id, position=0, text=row.text) for row in documents]
    write_records(run / "documents.jsonl", documents)
    write_records(run / "passages.jsonl", [*passages, passages[0].model_copy(update={"id": "d0#1", "position": 1})])
    write_tiny_morpheme_encoder(run / "made").rename(run / "model")
    (run / "synonyms").mkdir()
    (run / "synonyms" / "synonyms.txt").write_text("셀, cell\n", encoding="utf-8")
    _bundle(run)
    SparseIndex.open(run / "model", run / "passages.jsonl", run / "index")
    return run


def _bundle(run):
    weights = query_weights(run / "model")
    write_bundle(
        run / "bundle",
        model=run / "model",
        idf=weights,
        query_weights=weights,
        terms=list(weights),
        synonyms=run / "synonyms",
        example=({"셀": 1.0}, {"셀": 1.0}),
        fusion_weight=0.8,
    )


@pytest.fixture
def run(made, tmp_path):
    """A copy that may be changed."""
    return shutil.copytree(made, tmp_path / "run")


@pytest.fixture
def reach(monkeypatch):
    """Point the environment at a cluster."""

    def point(cluster, password="", ca=""):
        for name, value in {"URL": cluster.url, "USERNAME": "admin", "PASSWORD": password, "CA_CERTS": ca}.items():
            monkeypatch.setenv(f"OPENSEARCH_{name}", str(value))

    return point


@pytest.fixture
def cluster(reach):
    with FakeOpenSearch() as running:
        reach(running)
        yield running


def _set_up(run):
    opensearch.apply(run / "bundle", INDEX, "")
    opensearch.index(run, INDEX, ALL, delete_others=False)


def _change_bundle(run, name, content):
    (run / "bundle" / name).write_text(content, encoding="utf-8")
    write_json(run / "bundle" / MANIFEST, make_manifest(run / "bundle"))


def test_a_cluster_finds_what_this_machine_finds_with_the_same_scores(made, cluster, capsys):
    _set_up(made)
    here = SparseIndex.open(made / "model", made / "passages.jsonl", made / "index")
    for query in ("셀 보호", "표 메뉴", "문서 인쇄"):
        capsys.readouterr()
        opensearch.search(query, made, INDEX, 3, False, as_json=True)
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        expected = here.search(query, 3)
        assert expected and sorted(row["id"] for row in found) == sorted(hit.document_id for hit in expected)
        assert [row["score"] for row in found] == [pytest.approx(hit.score, abs=1e-3) for hit in expected]


def test_a_hybrid_search_goes_through_the_pipeline(made, cluster, capsys):
    _set_up(made)
    assert main(["opensearch", "search", "셀 보호를", "--hybrid", "--run", str(made), "-k", "1"]) == 0
    assert "d0" in capsys.readouterr().out


def test_a_second_time_changes_nothing(made, cluster):
    _set_up(made)
    cluster.changes.clear()
    _set_up(made)
    assert cluster.changes == []


def test_new_synonyms_are_read_again_and_nothing_else_is_touched(run, cluster):
    _set_up(run)
    cluster.changes.clear()
    _change_bundle(run, "synonyms/synonyms.txt", "셀, cell\n표, table\n")
    opensearch.apply(run / "bundle", INDEX, "")
    assert cluster.changes == [f"POST /_plugins/_refresh_search_analyzers/{INDEX}", f"PUT /{INDEX}/_mapping"]


def test_new_query_weights_send_no_passage(run, cluster, capsys):
    from safetensors.torch import load_file, save_file

    _set_up(run)
    cluster.changes.clear()
    place = run / "model" / "query_0_MorphemeQuery" / "model.safetensors"
    save_file({"weight": load_file(place)["weight"] * 2}, place)
    capsys.readouterr()
    opensearch.index(run, INDEX, ALL, delete_others=False)
    assert cluster.changes == [] and f"{INDEX}: 0 of 5 passages sent" in capsys.readouterr().out


def test_a_changed_passage_is_sent_alone_and_what_left_the_collection_is_deleted_when_asked(run, cluster):
    _set_up(run)
    cluster.changes.clear()
    rows = [json.loads(line) for line in (run / "passages.jsonl").read_text(encoding="utf-8").splitlines()][:-1]
    rows[1]["text"] += " 그림도 넣습니다."
    write_records(run / "passages.jsonl", [Passage(**row) for row in rows])
    for path in (run / "index").iterdir():
        path.unlink()
    opensearch.index(run, INDEX, ALL, delete_others=True)
    assert cluster.changes == ["index d1#0", "delete d0#1"]


def test_a_busy_cluster_is_asked_again_and_a_broken_upload_goes_on_where_it_was(made, reach, monkeypatch):
    monkeypatch.setattr(opensearch, "_AT_ONCE", 2)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with FakeOpenSearch(failures=[429, None, *["reset"] * 4]) as cluster:
        reach(cluster)
        opensearch.apply(made / "bundle", INDEX, "")
        with pytest.raises(ServiceError, match="does not answer"):
            opensearch.index(made, INDEX, ALL, delete_others=False)
        assert len(cluster.rows) == 2
        cluster.changes.clear()
        opensearch.index(made, INDEX, ALL, delete_others=False)
        assert cluster.changes == ["index d2#0", "index d3#0", "index d0#1"]


def test_a_wrong_password_is_told_and_not_shown(made, reach):
    with FakeOpenSearch(password="right") as cluster:
        reach(cluster, password="wr0ng")
        with pytest.raises(ServiceError, match="password of user 'admin'") as caught:
            opensearch.apply(made / "bundle", INDEX, "")
        assert "wr0ng" not in str(caught.value)
        reach(cluster, password="right")
        opensearch.apply(made / "bundle", INDEX, "")


def test_a_certificate_that_nobody_vouches_for_is_refused_until_its_authority_is_named(made, reach, tmp_path):
    with FakeOpenSearch(certificate=_certificate(tmp_path)) as cluster:
        reach(cluster)
        with pytest.raises(ServiceError, match="certificate is not trusted") as caught:
            opensearch.apply(made / "bundle", INDEX, "")
        assert "OPENSEARCH_CA_CERTS" in str(caught.value)
        reach(cluster, ca=tmp_path / "certificate.pem")
        opensearch.apply(made / "bundle", INDEX, "")
        reach(cluster, ca=tmp_path / "missing.pem")
        with pytest.raises(ConfigError, match="there is no file"):
            opensearch.apply(made / "bundle", INDEX, "")


def test_a_cluster_that_is_not_there_not_named_or_too_old_is_told(made, reach, monkeypatch):
    with FakeOpenSearch(version="2.9.0") as old:
        reach(old)
        with pytest.raises(ServiceError, match="2.9.0"):
            opensearch.apply(made / "bundle", INDEX, "")
    with pytest.raises(ServiceError, match="does not answer"):
        opensearch.apply(made / "bundle", INDEX, "")
    monkeypatch.setenv("OPENSEARCH_URL", "")
    with pytest.raises(ConfigError, match="not the address"):
        opensearch.apply(made / "bundle", INDEX, "")


def test_an_index_with_another_mapping_is_refused_before_anything_is_sent(made, cluster):
    cluster.indices[INDEX] = {"properties": {"sparse": {"type": "object"}, "text": {"type": "text"}}}
    for action in (
        lambda: opensearch.apply(made / "bundle", INDEX, ""),
        lambda: opensearch.index(made, INDEX, ALL, delete_others=False),
    ):
        with pytest.raises(InputError, match="sparse is object, not rank_features"):
            action()
    assert cluster.rows == {}


@pytest.mark.parametrize(
    ("path", "theirs"),
    [
        ("/_index_template/kosparse", {"index_patterns": ["logs-*"], "_meta": {"team": "search"}}),
        ("/_search/pipeline/kosparse", {"description": "theirs", "request_processors": []}),
    ],
)
def test_a_template_or_pipeline_of_somebody_else_is_left_alone(made, cluster, path, theirs):
    cluster.objects[path] = theirs
    with pytest.raises(InputError, match=f"the name kosparse is taken: {path}"):
        opensearch.apply(made / "bundle", INDEX, "")
    assert cluster.objects[path] == theirs and cluster.rows == {}


def test_a_missing_index_says_what_to_do(made, cluster):
    with pytest.raises(InputError, match="opensearch apply"):
        opensearch.index(made, INDEX, ALL, delete_others=False)


@pytest.mark.parametrize("lacks", ["synonyms_path_path", "user_dictionary"])
def test_nodes_without_a_file_of_the_analyzers_are_told_of_both(made, reach, lacks):
    with FakeOpenSearch(lacks=lacks) as bare:
        reach(bare)
        with pytest.raises(InputError, match=rf"(?s){lacks}.*synonyms.txt and nori_user_dictionary.txt.*on every node"):
            opensearch.apply(made / "bundle", INDEX, "")


def test_what_an_older_cluster_cannot_do_is_left_out_and_said(made, reach, capsys):
    with FakeOpenSearch(version="2.19.1") as older:
        reach(older)
        opensearch.apply(made / "bundle", INDEX, "")
        pipeline = older.objects["/_search/pipeline/kosparse"]
        assert "request_processors" in pipeline and "phase_results_processors" not in pipeline
        assert "made, without fusion: OpenSearch 2.19.1" in capsys.readouterr().out
        opensearch.apply(made / "bundle", INDEX, "")
        assert "unchanged, without fusion" in capsys.readouterr().out
        opensearch.index(made, INDEX, ALL, delete_others=False)
        opensearch.search("셀", made, INDEX, 3, False, as_json=False)
        with pytest.raises(ServiceError, match=r"(?s)2\.19\.1.*Hybrid queries .* need 3\.1"):
            opensearch.search("셀", made, INDEX, 3, True, as_json=False)


def test_a_bundle_that_was_changed_by_hand_is_refused(run, cluster):
    (run / "bundle" / "idf.json").write_text("{}")
    with pytest.raises(InputError, match="idf.json: changed"):
        opensearch.apply(run / "bundle", INDEX, "")
    assert cluster.changes == []


def test_a_model_over_morphemes_has_no_ingest_pipeline(made, cluster):
    with pytest.raises(InputError, match="Kiwi"):
        opensearch.apply(made / "bundle", INDEX, "abc")


def test_a_model_over_word_pieces_is_named_in_the_ingest_pipeline(made, cluster, tmp_path, capsys):
    write_tiny_sparse_encoder(tmp_path / "made").rename(tmp_path / "model")
    shutil.copytree(made / "synonyms", tmp_path / "synonyms")
    _bundle(tmp_path)
    command = ["opensearch", "apply", "--bundle", str(tmp_path / "bundle"), "--index", INDEX, "--model-id", "abc"]

    assert main(command) == 0
    (processor,) = cluster.objects["/_ingest/pipeline/kosparse"]["processors"]
    assert processor["sparse_encoding"]["model_id"] == "abc"
    assert processor["sparse_encoding"]["field_map"] == {"text": "sparse"}

    cluster.changes.clear()
    assert main(command) == 0 and cluster.changes == [], "the same again changes nothing"
    assert main([*command[:-1], "def"]) == 0 and cluster.changes == ["PUT /_ingest/pipeline/kosparse"]
    assert "ingest pipeline" in capsys.readouterr().out


def test_a_query_of_unknown_parts_is_told(made, cluster):
    with pytest.raises(InputError, match="knows no part"):
        opensearch.search("ㅁㄴㅇ", made, INDEX, 3, False, as_json=False)


def _certificate(folder):
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    return folder / "certificate.pem", folder / "key.pem"
