"""Heartbeat cores with one fault each, made on purpose, for the simulator to find.

Each is the real node with one part replaced by a subclass that breaks one step of the safety
argument at the top of ``core.py``. If the simulator let one of them pass, it would prove
nothing about the real one either.
"""

from collections.abc import Collection
from dataclasses import replace

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.candidate import Candidate, Phase
from stillup.heartbeat.core import Node, Settings
from stillup.heartbeat.events import LetGo
from stillup.heartbeat.messages import Accepted, Prepare, Propose, Refused
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.simulator.builds import Luck, with_candidate, with_electorate, with_voter
from stillup.heartbeat.simulator.handover_mutants import HANDOVER_MUTANTS
from stillup.heartbeat.simulator.world import Build
from stillup.heartbeat.standing import Vacancy
from stillup.heartbeat.tally import Ask, Tally
from stillup.heartbeat.voter import Given, Voter

# -- step 1: what it takes to hold, and for how long ------------------------------------------


class StartsTheClockLate(Candidate):
    """Counts the lease from when the last vote came in, not from before it asked."""

    def on_accepted(self, voter: str, ballot: Ballot, attempt: int, now_s: float) -> None:
        if self.tally is not None and attempt in self.tally.asks:
            self.tally.asks[attempt].start_s = now_s
        super().on_accepted(voter, ballot, attempt, now_s)


class TrustsItsClock(Candidate):
    """Leaves nothing for clocks that run at different rates."""

    def lease_end_s(self, ask: Ask) -> float:
        return ask.start_s + self.timing.lease_s


class HoldsTooLong(Candidate):
    """Takes a lease for a tenth longer than it is."""

    def lease_end_s(self, ask: Ask) -> float:
        return ask.start_s + 1.1 * self.timing.lease_s


class CountsOldVotes(Candidate):
    """Counts votes for earlier attempts for the latest one, whose lease began later."""

    def on_accepted(self, voter: str, ballot: Ballot, attempt: int, now_s: float) -> None:
        latest = self.tally.attempt if self.tally is not None else attempt
        super().on_accepted(voter, ballot, latest, now_s)


class CountsTwice(Tally):
    """Counts a doubled vote twice."""

    def vote(self, attempt: int, voter: str) -> Ask | None:
        ask = self.asks.get(attempt)
        if ask is None:
            return None
        votes = [*getattr(self, "all", []), (attempt, voter)]
        self.all = votes
        ask.votes.add(voter)
        count = sum(1 for number, _ in votes if number == attempt)
        own = self.ballot.name in ask.votes
        return ask if own and 2 * count > len(self.electorate.voters) else None


class CandidateThatCountsTwice(Candidate):
    def stand(self, now_s: float) -> None:
        super().stand(now_s)
        if self.tally is not None and not isinstance(self.tally, CountsTwice):
            self.tally = CountsTwice(self.tally.ballot, self.electorate)


# -- step 2: a vote lasts a lease --------------------------------------------------------------


class ForgetsEarly(Voter):
    """Forgets its vote a tenth of a lease too early."""

    def given(self, now_s: float) -> Given | None:
        return super().given(now_s + self.lease_s / 10)


class TellsBeforeItLetsGo(Candidate):
    """Tells the others that it let go before it does."""

    def let_go(self, now_s: float, reason: str, to: str | None = None) -> None:
        super().let_go(now_s, reason, to)
        self.out.sort(key=lambda effect: isinstance(effect, LetGo))


class KeepsHolding(Candidate):
    """Tells the others that it let go, and goes on answering until its lease is over."""

    def let_go(self, now_s: float, reason: str, to: str | None = None) -> None:
        super().let_go(now_s, reason, to)
        self.out[:] = [effect for effect in self.out if not isinstance(effect, LetGo)]


# -- step 3: one vote, one owner ---------------------------------------------------------------


class GivesItsVoteTwice(Voter):
    """Votes for whoever has the newest ballot, whomever its vote belongs to."""

    def _refusal(self, asked: Prepare | Propose, attempt: int, now_s: float) -> Refused | None:
        self._given = None
        return super()._refusal(asked, attempt, now_s)


class AcceptsAnything(Voter):
    """Gives its vote to whoever proposes; only asks itself when it is asked to prepare."""

    def on_propose(self, asked: Propose, now_s: float) -> Accepted | Refused:
        self._given = Given(asked.ballot, now_s + self.lease_s)
        return Accepted(asked.ballot, asked.attempt)


class ForgetsForAnybody(Voter):
    """Takes its vote back whoever it is that lets go."""

    def on_release(self, released: Ballot) -> None:
        super().on_release(released)
        self._given = None


class ReleasesByName(Voter):
    """Takes its vote back from any life of the server that lets go."""

    def on_release(self, released: Ballot) -> None:
        super().on_release(released)
        if self._given is not None and self._given.ballot.name == released.name:
            self._given = None


# -- step 4: silence after a restart -----------------------------------------------------------


class SpeaksAtOnce(Voter):
    """Is not silent after its start."""

    def __init__(self, lease_s: float, silent_until_s: float) -> None:
        super().__init__(lease_s, silent_until_s - lease_s)


class SpeaksEarly(Voter):
    """Is silent for a quarter of a lease only."""

    def __init__(self, lease_s: float, silent_until_s: float) -> None:
        super().__init__(lease_s, silent_until_s - 0.75 * lease_s)


# -- step 5: two sets that are enough share a voter --------------------------------------------


class OneTooFew(Electorate):
    """Takes half of the voters for a majority."""

    def is_enough(self, votes: Collection[str], asker: str) -> bool:
        counted = set(votes).intersection(self.voters)
        if asker not in counted:
            return False
        return 2 * len(counted) >= len(self.voters) or counted.issuperset(self.candidates)


class NeedsNoOwnVote(Electorate):
    """Takes a majority without a single balancer."""

    def is_enough(self, votes: Collection[str], asker: str) -> bool:
        counted = set(votes).intersection(self.voters)
        return 2 * len(counted) > len(self.voters) or counted.issuperset(self.candidates)


class AsksWhateverItsOwnVoterSays(Candidate):
    """Goes on asking the others when its own voter has given its vote to somebody else."""

    def _refused_preparing(self, tally: Tally, voter: str, now_s: float) -> None:
        if voter != self.owner.name:
            super()._refused_preparing(tally, voter, now_s)


class StandsWhateverItsOwnVoterSays(Node):
    """Stands for election again and again, whoever holds."""

    def _watch_vacancy(self, now_s: float) -> None:
        given = self.voter.given(now_s)
        if given is not None:
            self._vacancy = Vacancy(given.until_s, given.ballot.name)
        if self.candidate.phase is Phase.RESTING:
            wait_s = self.timing.lease_s / 4
            self.candidate.wake_s = max(now_s + wait_s, self.candidate.not_before_s)


def stands_anyway(settings: Settings, incarnation: int, now_s: float, luck: Luck) -> Node:
    node = StandsWhateverItsOwnVoterSays(settings, incarnation, now_s, luck)
    right = node.candidate
    node.candidate = AsksWhateverItsOwnVoterSays(right.owner, right.electorate, right.timing, luck)
    node.candidate.phase = right.phase
    node.join()
    return node


def needs_no_own_vote(settings: Settings, incarnation: int, now_s: float, luck: Luck) -> Node:
    # Only a candidate that asks in spite of its own voter can come to miss its own vote.
    right = settings.electorate
    wrong = NeedsNoOwnVote(right.voters, right.candidates, right.lease_s)
    return stands_anyway(replace(settings, electorate=wrong), incarnation, now_s, luck)


class OneCandidateIsEnough(Electorate):
    """Takes all balancers but one for all of them."""

    def is_enough(self, votes: Collection[str], asker: str) -> bool:
        counted = set(votes).intersection(self.voters)
        missing = set(self.candidates) - counted
        return asker in counted and (2 * len(counted) > len(self.voters) or len(missing) <= 1)


class MajorityOfTheLiving(Electorate):
    """Takes a majority of all but one voter, as if one dead voter did not count."""

    def is_enough(self, votes: Collection[str], asker: str) -> bool:
        counted = set(votes).intersection(self.voters)
        return asker in counted and 2 * len(counted) > len(self.voters) - 1


# -- what safety does not rest on --------------------------------------------------------------


class ForgetsPromises(Voter):
    """Forgets which ballots it has heard of."""

    def _is_outbid(self, ballot: Ballot) -> bool:
        return False


class AlwaysTheSameRound(Candidate):
    """Stands under the same ballot again and again, released or not outbid or not."""

    def note_newest(self, ballot: Ballot | None) -> None:
        pass


MUTANTS: dict[str, Build] = {
    "starts the clock late": with_candidate(StartsTheClockLate),
    "trusts its clock": with_candidate(TrustsItsClock),
    "holds too long": with_candidate(HoldsTooLong),
    "counts old votes": with_candidate(CountsOldVotes),
    "counts a vote twice": with_candidate(CandidateThatCountsTwice),
    "forgets its vote early": with_voter(ForgetsEarly),
    "tells before it lets go": with_candidate(TellsBeforeItLetsGo),
    "keeps holding": with_candidate(KeepsHolding),
    "gives its vote twice": with_voter(GivesItsVoteTwice),
    "accepts anything": with_voter(AcceptsAnything),
    "forgets for anybody": with_voter(ForgetsForAnybody),
    "releases by name": with_voter(ReleasesByName),
    "speaks at once": with_voter(SpeaksAtOnce),
    "speaks early": with_voter(SpeaksEarly),
    "one too few": with_electorate(OneTooFew),
    "needs no own vote": needs_no_own_vote,
    "one candidate is enough": with_electorate(OneCandidateIsEnough),
    "majority of the living": with_electorate(MajorityOfTheLiving),
    **HANDOVER_MUTANTS,
}

HARMLESS: dict[str, Build] = {
    "forgets promises": with_voter(ForgetsPromises),
    "does not look at others' ballots": with_candidate(AlwaysTheSameRound),
    "stands whatever its own voter says": stands_anyway,
}
