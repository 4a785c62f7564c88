"""Messages as bytes: there and back, and nothing but ``Malformed`` for what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.messages import (
    Accepted,
    Handed,
    Hello,
    Message,
    Offer,
    Prepare,
    Promised,
    Propose,
    Ready,
    Refusal,
    Refused,
    Release,
)
from stillup.heartbeat.wire import ROUNDS, Introduction, Malformed, decode, encode

BITS_64 = (1 << 64) - 1


def _fits(name: str) -> bool:
    try:
        return len(name.encode()) <= 63
    except UnicodeEncodeError:  # a lone surrogate
        return False


names = st.text(min_size=1, max_size=63).filter(_fits)
ballots = st.builds(Ballot, st.integers(0, ROUNDS - 1), st.integers(0, BITS_64), names)
attempts = st.integers(0, BITS_64)
microseconds = st.integers(0, 4_294_000_000).map(lambda number: number / 1e6)
messages: st.SearchStrategy[Message | Introduction] = st.one_of(
    st.builds(Prepare, ballots, st.none() | ballots, st.none() | ballots),
    st.builds(Promised, ballots),
    st.builds(Propose, ballots, attempts, st.none() | ballots),
    st.builds(Accepted, ballots, attempts),
    st.builds(
        Refused,
        ballots,
        attempts,
        st.sampled_from(Refusal),
        st.none() | ballots,
        microseconds,
        st.none() | names,
    ),
    st.builds(Release, ballots, st.none() | names),
    st.builds(Hello, st.booleans(), st.booleans()),
    st.builds(Offer, ballots, attempts, attempts, microseconds),
    st.builds(Ready, ballots, attempts, attempts, st.booleans()),
    st.builds(Handed, ballots, attempts, attempts, microseconds, st.booleans()),
    st.builds(Introduction, st.integers(0, BITS_64)),
)


@given(messages)
def test_a_message_comes_back_as_it_was(message: Message | Introduction) -> None:
    data = encode(message)

    again = decode(data)

    assert len(data) <= 250
    if isinstance(message, Refused | Offer | Handed):
        assert isinstance(again, type(message))
        # A duration is rounded down to a whole microsecond.
        assert 0 <= message.left_s - again.left_s < 2e-6
    else:
        assert again == message


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    try:
        message = decode(data)
    except Malformed:
        return
    assert encode(message) == data


@given(messages, st.data())
def test_a_message_cut_short_or_lengthened_is_malformed(
    message: Message | Introduction, data: st.DataObject
) -> None:
    whole = encode(message)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for wrong in (whole[:cut], whole + b"\x00"):
        with pytest.raises(Malformed):
            decode(wrong)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x63",
        b"\x07\x02",
        b"\x02" + bytes(16) + b"\x40" + b"x" * 64,
        b"\x02" + bytes(16) + b"\x02\xff\xff",
        b"\x02" + b"\xff" * 8 + bytes(8) + b"\x01a",
    ],
    ids=["nothing", "kind", "neither yes nor no", "name too long", "not UTF-8", "round"],
)
def test_what_cannot_be_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data)


def test_the_longest_waits_are_said_as_the_longest_that_can_be() -> None:
    ballot = Ballot(1, 2, "a")
    said = decode(encode(Refused(ballot, 0, Refusal.SILENT, None, 1e9)))
    assert said == Refused(ballot, 0, Refusal.SILENT, None, 4294.0)


def test_a_name_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 63 bytes"):
        encode(Promised(Ballot(1, 2, "x" * 64)))


def test_the_format_is_what_the_documentation_says() -> None:
    ballot = Ballot(0x0102, 0x0304, "lb1")
    head = "0000000000000102" + "0000000000000304" + "036c6231"
    assert encode(Propose(ballot, 5)).hex() == "03" + head + "0000000000000005" + "00"
    assert encode(Prepare(ballot, None)).hex() == "01" + head + "0000"
    assert encode(Prepare(ballot, ballot, ballot)).hex() == "01" + head + ("01" + head) * 2
    assert encode(Release(ballot, "lb2")).hex() == "06" + head + "036c6232"
    assert encode(Hello(fit=True)).hex() == "070100"
    life = "00000000000000ff"
    assert encode(Offer(ballot, 5, 255, 1.0)).hex() == (
        "08" + head + "0000000000000005" + life + "000f4240"
    )
    assert encode(Ready(ballot, 5, 255, armed=True)).hex() == (
        "09" + head + "0000000000000005" + life + "01"
    )
    assert encode(Handed(ballot, 5, 255, 1.0, stay=True)).hex() == (
        "0a" + head + "0000000000000005" + life + "000f4240" + "01"
    )
