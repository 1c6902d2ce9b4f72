"""What the benchmark starts of compose.yaml is what compose would start."""

from benchmarks.bench_compose import compose_service


def test_service_is_read_as_compose_reads_it(tmp_path):
    found = compose_service("store", {"TAG": "abc", "AWS_ACCESS_KEY_ID": "1e9"}, tmp_path)

    assert found["image"] == "kosparse-local:abc"
    assert found["command"][:2] == ["weed", "mini"]
    assert found["probe"][:2] == ["python3", "-c"]
    assert found["environment"] == {"AWS_ACCESS_KEY_ID": "1e9", "AWS_SECRET_ACCESS_KEY": ""}
    assert found["volumes"] == [f"{tmp_path / 'objects'}:/data"] and (tmp_path / "objects").is_dir()
    assert found["tmpfs"] == ["/tmp"]
