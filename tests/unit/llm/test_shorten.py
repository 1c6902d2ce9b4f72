import pytest

from kosparse.llm.shorten import characters_to_keep, is_too_long, shorten, told_lengths

VLLM_EXACT = (
    "This model's maximum context length is 1024 tokens. However, your prompt contains 2000 input tokens, which "
    "exceeds this limit even without any output tokens."
)


@pytest.mark.parametrize(
    ("message", "lengths"),
    [
        (VLLM_EXACT, (2000, 1024)),
        (VLLM_EXACT.replace("2000", "at least 1025"), None),
        ("Input length (2000) exceeds model's maximum context length (1024).", (2000, 1024)),
        ("This model's maximum context length is 8192 tokens. Your messages resulted in 9000 tokens.", (9000, 8192)),
        ("The prompt is too long.", None),
    ],
)
def test_lengths_are_read_from_what_servers_say(message, lengths):
    assert is_too_long(message) and told_lengths(message) == lengths


def test_what_is_over_is_cut_and_a_little_more():
    # 100 of 1,100 tokens too many, 2,200 characters in all: 200 of them and 5 % more
    assert characters_to_keep(1000, 2200, (1100, 1100), 100) == 1000 - 210
    assert characters_to_keep(1000, 2200, None, 100) == 750
    assert characters_to_keep(10, 2200, (1100, 600), 100) < 0


def test_a_text_ends_with_a_whole_sentence_or_a_whole_word():
    assert shorten("하나. 둘! 셋입니까?", 8) == "하나. 둘!"
    assert shorten("첫 줄\n둘째 줄은 길다", 8) == "첫 줄"
    assert shorten("끝이 없는 문장이 이어진다", 8) == "끝이 없는"
    assert shorten("띄어쓰기없는문장", 3) == "띄어쓰"
