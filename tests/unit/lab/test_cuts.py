"""Which links are cut, and the switch's rules for it."""

import json

from stillup.lab.cuts import Cuts, cuts_from


def rules(cuts: Cuts) -> list[str]:
    return [line.strip() for line in cuts.ruleset().splitlines() if line.endswith("drop")]


def test_nothing_cut_drops_nothing() -> None:
    assert rules(Cuts()) == []


def test_a_silent_cut_drops_both_directions() -> None:
    cuts = Cuts().with_silence("lb1", (), one_way=False)
    assert rules(cuts) == ['oifname "to-lb1" drop', 'iifname "to-lb1" drop']


def test_a_cut_from_one_server_drops_between_the_two() -> None:
    cuts = Cuts().with_silence("lb1", ["db1"], one_way=False)
    assert rules(cuts) == [
        'iifname "to-db1" oifname "to-lb1" drop',
        'iifname "to-lb1" oifname "to-db1" drop',
    ]


def test_one_way_drops_what_the_server_sends() -> None:
    assert rules(Cuts().with_silence("lb1", (), one_way=True)) == ['iifname "to-lb1" drop']


def test_the_client_can_be_cut() -> None:
    assert rules(Cuts().with_silence("client", ["lb1"], one_way=True)) == [
        'iifname "to-client" oifname "to-lb1" drop'
    ]


def test_healing_one_server_leaves_the_others_cut() -> None:
    cuts = Cuts().with_carrier("lb1").with_carrier("lb2").with_silence("lb1", ["db1"], one_way=True)
    assert cuts.healed("lb1") == Cuts(frozenset({"lb2"}))
    assert cuts.healed(None) == Cuts()


def test_a_cut_in_words() -> None:
    cuts = Cuts().with_carrier("lb1").with_silence("lb2", (), one_way=False)
    assert cuts.describe("lb1") == "cable pulled"
    assert cuts.describe("lb2") == "frames dropped to all, from all"
    assert cuts.describe("web1") is None


def test_cuts_outlive_their_record() -> None:
    cuts = Cuts().with_carrier("lb1").with_silence("lb2", ["db1", "web1"], one_way=False)
    assert cuts_from(json.loads(json.dumps(cuts.record()))) == cuts
    assert cuts_from(None) == Cuts()
