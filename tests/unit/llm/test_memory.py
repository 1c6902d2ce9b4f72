"""Memory counted before any weight is loaded."""

from dataclasses import replace

import pytest

from kosparse.errors import ResourceError
from kosparse.llm.checkpoint import read_checkpoint
from kosparse.llm.memory import (
    MemoryWatch,
    card,
    check_gpu_memory,
    most_concurrent,
    need,
    require_memory,
    table,
    weight_bytes,
)


@pytest.fixture(scope="module")
def gpt_oss():
    """The shipped shape: no network, no weights."""
    return read_checkpoint("openai/gpt-oss-20b")


def fits(checkpoint, precision, gigabytes, context=4096, concurrency=1):
    return need(checkpoint, precision, context, concurrency).total <= card(gigabytes).free


def test_this_machine_is_among_the_devices():
    cpu = check_gpu_memory()[-1]
    assert cpu.device == "cpu" and 0 < cpu.free <= cpu.total


def test_gpt_oss_has_the_published_size(gpt_oss):
    assert gpt_oss.weights == pytest.approx(20.9e9, rel=0.002)
    # Experts: 24 layers x 32 x (2880 x 5760 + 2880 x 2880) at 17/32 bytes; the rest at two.
    assert gpt_oss.experts == 24 * 32 * 3 * 2880 * 2880
    assert weight_bytes(gpt_oss, "mxfp4") == pytest.approx(13.76e9, rel=0.001)


@pytest.mark.parametrize(
    ("gigabytes", "fitting"),
    [
        (80, {"mxfp4", "bf16", "fp16", "int8", "int4"}),  # 41.8 GB of bf16 fit, 83.7 GB of fp32 do not
        (24, {"mxfp4", "int4"}),  # 22.7 GB of int8 leave nothing for the rest
        (16, {"mxfp4", "int4"}),
    ],
)
def test_gpt_oss_on_the_usual_cards(gpt_oss, gigabytes, fitting):
    precisions = ("mxfp4", "fp32", "fp16", "bf16", "int8", "int4")
    assert {precision for precision in precisions if fits(gpt_oss, precision, gigabytes)} == fitting


def test_a_small_card_has_room_for_few_requests(gpt_oss):
    assert not fits(gpt_oss, "mxfp4", 16, context=8192, concurrency=8)
    few = most_concurrent(gpt_oss, "mxfp4", 8192, card(16).free)
    assert fits(gpt_oss, "mxfp4", 16, 8192, few) and not fits(gpt_oss, "mxfp4", 16, 8192, few + 1)
    assert most_concurrent(gpt_oss, "bf16", 8192, card(16).free) == 0


def test_the_cache_counts_groups_and_windows(gpt_oss):
    # 2 (key, value) x 8 heads x 64 x 2 bytes = 2048 a token and layer; 12 layers see all, 12 see 128 tokens.
    assert need(gpt_oss, "bf16", 8192, 3).kv_cache == 3 * 2048 * (12 * 8192 + 12 * 128)
    assert need(gpt_oss, "bf16", 100, 1).kv_cache == 2048 * 24 * 100


def test_the_table_answers_for_every_precision_and_card(gpt_oss):
    lines = table(gpt_oss, [card(80), card(24), card(16)], context=8192, concurrency=8).splitlines()
    rows = {line.split()[0]: line for line in lines if line.strip()}

    assert rows["bf16"].split()[-3:] == ["yes", "no", "no"]
    assert "yes" in rows["mxfp4"] and rows["mxfp4"].endswith("at once")
    assert "13.76 GB" in rows["mxfp4"] and "41.83 GB" in rows["bf16"]


def test_what_does_not_fit_is_refused_with_what_does(gpt_oss):
    with pytest.raises(ResourceError, match="as bf16 takes 46.3") as error:
        require_memory(gpt_oss, "bf16", card(24).free, "cuda:0", 4096, 1)
    assert "mxfp4 (15." in error.value.fix and "int8" not in error.value.fix

    with pytest.raises(ResourceError) as error:
        require_memory(gpt_oss, "mxfp4", 8_000_000_000, "cuda:0", 4096, 1)
    assert "Nothing fits there" in error.value.fix


def test_bitsandbytes_packs_the_layers_and_leaves_the_embeddings(gpt_oss):
    dense = replace(gpt_oss, quantized=False, precision="bf16", linear=1000, experts=0, kept=100)
    assert weight_bytes(dense, "int8") == 1000 + 200
    assert weight_bytes(dense, "fp32") == 4400


def test_memory_of_this_process_is_watched():
    watch = MemoryWatch("cpu")
    assert 0 < watch.look() <= watch.peak
