"""Who may be sent text, and what is said of servers that are wrong."""

import pytest

from kosparse.config import ServeLlmConfig
from kosparse.errors import ConfigError, ServiceError
from kosparse.llm import endpoint
from kosparse.records import Completion, Reject
from tests.fakes.chat import FakeChatModel

CONFIG = ServeLlmConfig(max_model_length=2048)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8000/v1",
        "http://[::1]:8000/v1",
        "http://localhost/v1",
        "http://10.0.3.4:8000/v1",
        "http://kosparse-llm:8000/v1",
        "http://llm.team.svc:8000/v1",
        "http://llm.team.svc.cluster.local/v1",
    ],
)
def test_this_machine_and_cluster_need_no_consent(address):
    endpoint.require_consent(address, CONFIG)


@pytest.mark.parametrize("address", ["https://api.openai.com/v1", "http://8.8.8.8/v1", "http://127.0.0.1.evil.com/v1"])
def test_elsewhere_needs_consent(address):
    with pytest.raises(ConfigError, match="outside this machine"):
        endpoint.require_consent(address, CONFIG)
    endpoint.require_consent(address, CONFIG.model_copy(update={"allow_external": True}))


def test_waiting_ends_at_once_when_the_server_is_known_to_be_dead():
    def check():
        raise ServiceError("it has ended")

    with pytest.raises(ServiceError, match="it has ended"):
        endpoint.wait_for_models("http://127.0.0.1:9/v1", "", timeout=60, check=check)


def test_a_server_that_does_not_tell_its_context_is_taken_at_its_word():
    assert endpoint.check_served([{"id": "m"}], "m", CONFIG, "http://x/v1") == 0
    assert endpoint.check_served([{"id": "m", "max_model_len": 4096}], "m", CONFIG, "http://x/v1") == 4096


@pytest.mark.parametrize(
    ("text", "holds"), [('{"number": 3}', True), ("봄이 왔습니다.", False), ('{"answer": "봄"}', False), ("[1]", False)]
)
def test_whether_a_schema_is_kept_is_seen_from_an_answer(text, holds):
    assert endpoint.probe(FakeChatModel(lambda request: Completion(text=text))) is holds


def test_a_server_that_cannot_answer_is_refused():
    broken = FakeChatModel(lambda request: Reject(stage="llm", reason="bad_answer", detail="status 500"))
    with pytest.raises(ServiceError, match="bad_answer status 500"):
        endpoint.probe(broken)
