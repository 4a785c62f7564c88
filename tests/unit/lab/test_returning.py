"""What undoes a cut of the lab after its time takes back that cut and no other."""

from stillup.lab.cuts import Cuts


def test_a_cut_that_ends_leaves_the_cuts_of_before_and_after() -> None:
    before = Cuts().with_silence("lb1", ["data1"], one_way=False)
    cut = before.with_silence("lb1", (), one_way=True)
    later = cut.with_carrier("web1")
    assert later.without(cut.without(before)) == before.with_carrier("web1")
