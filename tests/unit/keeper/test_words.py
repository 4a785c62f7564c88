"""What keepers tell each other: signed, fresh, and understood."""

import json
from dataclasses import replace

import pytest

from stillup.keeper import seal
from stillup.keeper.seen import Phase, Position, Report
from stillup.keeper.settings import Json, Settings
from stillup.keeper.standing import standing
from stillup.keeper.words import NotUnderstood, Words, hear, is_whole, say

KEY, OTHER = b"k" * 32, b"o" * 32
STATUS = {
    "wsrep_cluster_status": "Primary",
    "wsrep_local_state": "4",
    "wsrep_ready": "ON",
    "wsrep_last_committed": "17",
    "wsrep_local_state_uuid": "1bdf2bd6-e6ea-11f1-8208-538b93b86b84",
    "wsrep_incoming_addresses": "10.0.0.6:3306,,10.0.0.5:3306",
    "wsrep_cluster_size": "3",
    "wsrep_local_recv_queue": "0",
}
NAMES = {"10.0.0.5": "data1", "10.0.0.6": "data2"}


def words() -> Words:
    report = Report(
        Phase.STOPPED,
        Position("u", 7),
        founding=True,
        birth=True,
        forced=True,
        ancestors=(Position("t", 3),),
    )
    return Words("data1", report, "it waits", ("data1", "data2"), 3, "data2", "2026-01-01 00:00:00")


@pytest.mark.parametrize("room", [True, False])
def test_what_is_said_is_heard(room: bool) -> None:  # noqa: FBT001 # a column of the table
    mine = replace(words(), room=room)
    assert hear(say(mine)) == mine


def test_another_version_that_says_nothing_of_its_disk_is_taken_to_have_room() -> None:
    said = say(words())
    del said["room"]
    assert hear(said) == words()


def test_a_signed_answer_to_this_question_is_believed() -> None:
    answer = seal.close(KEY, "nonce", say(words()))
    assert hear(seal.open_(KEY, "nonce", "data1", answer)) == words()


@pytest.mark.parametrize(
    ("key", "nonce", "speaker"),
    [(OTHER, "nonce", "data1"), (KEY, "before", "data1"), (KEY, "nonce", "data2")],
)
def test_another_key_question_or_speaker_is_not(key: bytes, nonce: str, speaker: str) -> None:
    answer = seal.close(KEY, "nonce", say(words()))
    with pytest.raises(seal.Forged):
        seal.open_(key, nonce, speaker, answer)


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"body": 1, "mac": "a"}'])
def test_what_is_no_answer_is_not_believed(answer: bytes) -> None:
    with pytest.raises(seal.Forged):
        seal.open_(KEY, "nonce", "data1", answer)


def test_a_changed_answer_is_not_believed() -> None:
    outer = json.loads(seal.close(KEY, "nonce", say(words())))
    outer["body"] = outer["body"].replace('"seqno": 7', '"seqno": 8')
    with pytest.raises(seal.Forged):
        seal.open_(KEY, "nonce", "data1", json.dumps(outer).encode())


@pytest.mark.parametrize(
    "change", [{"phase": "asleep"}, {"cluster": None}, {"ancestors": 1}, {"seqno": "7"}]
)
def test_words_of_another_shape_are_refused(change: dict[str, Json]) -> None:
    with pytest.raises(NotUnderstood):
        hear({**say(words()), **change})


def test_a_member_knows_its_view_by_the_addresses_and_counts_the_arbiter() -> None:
    stands = standing(STATUS, NAMES)
    assert (stands.phase, stands.view, stands.size) == (Phase.MEMBER, ("data1", "data2"), 3)
    assert stands.position == Position("1bdf2bd6-e6ea-11f1-8208-538b93b86b84", 17)


@pytest.mark.parametrize(
    ("change", "phase"),
    [
        ({"wsrep_local_state": "2"}, Phase.MEMBER),
        ({"wsrep_local_state": "1"}, Phase.JOINING),
        ({"wsrep_ready": "OFF"}, Phase.JOINING),
        ({"wsrep_cluster_status": "non-Primary"}, Phase.CUT_OFF),
        ({"wsrep_cluster_status": "Disconnected"}, Phase.CUT_OFF),
    ],
)
def test_what_mariadb_says_tells_its_phase(change: dict[str, str], phase: Phase) -> None:
    assert standing({**STATUS, **change}, NAMES).phase is phase


def test_a_mariadb_without_a_history_has_no_position() -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    assert standing({**STATUS, "wsrep_local_state_uuid": nobody}, NAMES).position is None


def test_it_is_whole_with_every_server_and_the_arbiter(settings: Settings) -> None:
    member = Words("data1", Report(Phase.MEMBER), size=3)
    other = Words("data2", Report(Phase.MEMBER), size=3)
    assert is_whole(member, settings, [other])
    assert not is_whole(member, settings, [None])
    assert not is_whole(Words("data1", Report(Phase.MEMBER), size=2), settings, [other])
