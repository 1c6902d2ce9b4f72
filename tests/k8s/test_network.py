"""Who reaches whom, on policies small enough to see through."""

from k8s.check.network import End, Network

WEB, DB, OUT = End("a", {"app": "web"}), End("b", {"app": "db"}), End("", {}, "8.8.8.8")
SPACES = [{"kind": "Namespace", "metadata": {"name": name, "labels": {"team": name}}} for name in ("a", "b")]


def policy(namespace, **spec):
    return {"kind": "NetworkPolicy", "metadata": {"namespace": namespace}, "spec": {"podSelector": {}, **spec}}


def network(*policies):
    return Network([*SPACES, *policies])


def test_without_policies_everything_may():
    assert network().allows(WEB, DB, 5432)


def test_a_policy_without_rules_closes_its_direction_only():
    closed = network(policy("b", policyTypes=["Ingress"]))
    assert not closed.allows(WEB, DB, 5432)
    assert closed.allows(DB, WEB, 80)


def test_types_follow_from_the_rules_where_they_are_not_written():
    assert not network(policy("b")).allows(WEB, DB, 5432)
    assert network(policy("b")).allows(DB, WEB, 80)
    assert not network(policy("b", egress=[])).allows(DB, WEB, 80)


def test_rules_of_several_policies_add_up():
    opened = policy("b", ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}])
    assert network(policy("b"), opened).allows(WEB, DB, 5432)


def test_both_ends_must_agree():
    opened = policy("b", ingress=[{}])
    assert not network(policy("a", policyTypes=["Egress"]), opened).allows(WEB, DB, 5432)


def test_a_pod_selector_alone_means_the_policys_own_namespace():
    own = policy("b", ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}])
    assert not network(own).allows(WEB, DB, 5432)
    assert network(own).allows(End("b", {"app": "web"}), DB, 5432)


def test_namespace_and_pod_selector_in_one_peer_must_both_fit():
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "a"}}}
    both = policy("b", ingress=[{"from": [{**peer, "podSelector": {"matchLabels": {"app": "cron"}}}]}])
    assert not network(both).allows(WEB, DB, 5432)
    assert network(both).allows(End("a", {"app": "cron"}), DB, 5432)


def test_ports_and_protocols_are_told_apart():
    opened = network(policy("b", ingress=[{"ports": [{"port": 5432}]}]))
    assert opened.allows(WEB, DB, 5432)
    assert not opened.allows(WEB, DB, 5433)
    assert not opened.allows(WEB, DB, 5432, "UDP")


def test_address_blocks_are_for_what_is_outside():
    block = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}
    opened = network(policy("a", policyTypes=["Egress"], egress=[{"to": [block]}]))
    assert opened.allows(WEB, OUT, 443)
    assert not opened.allows(WEB, End("", {}, "10.1.2.3"), 443)
    assert not opened.allows(WEB, DB, 443)
