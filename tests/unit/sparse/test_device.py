import pytest

from kosparse.sparse.device import moved


class Network:
    """Remembers where it was."""

    def __init__(self):
        self.places = ["cpu"]

    def to(self, device):
        self.places.append(device)


def test_a_network_is_back_on_the_cpu_afterwards_whatever_happened():
    network = Network()
    with pytest.raises(RuntimeError), moved(network, "cuda"):
        assert network.places[-1] == "cuda"
        raise RuntimeError
    assert network.places == ["cpu", "cuda", "cpu"]
