"""Cores with a fault made on purpose in how they hand over, as in ``mutants.py``."""

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.candidate import Candidate
from stillup.heartbeat.core import Node
from stillup.heartbeat.events import Effect, Event, Give
from stillup.heartbeat.handover import Giving, Offered, Readiness, Taking
from stillup.heartbeat.messages import Accepted, Handed, Offer, Prepare, Propose, Refusal, Refused
from stillup.heartbeat.simulator.builds import with_candidate, with_giving, with_taking, with_voter
from stillup.heartbeat.simulator.world import Build
from stillup.heartbeat.voter import Voter

# -- the giver ---------------------------------------------------------------------------------


class HandsOverBeforeItLetsGo(Node):
    """Tells the taker that it has let go before it has."""

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        effects = super().handle(event, now_s)
        return sorted(effects, key=lambda effect: isinstance(effect, Give))


class KeepsWhatItGave(Candidate):
    """Hands over, and goes on answering until its lease is over."""

    def give(self, to: str, reason: str, now_s: float) -> float:
        until_s = super().give(to, reason, now_s)
        self.out[:] = [effect for effect in self.out if not isinstance(effect, Give)]
        return until_s


class AsksAgainTooEarly(Voter):
    """The giver's own voter lets it have the vote again at once."""

    def give_away(self) -> None:
        pass


class ReleasesWhatItGave(Candidate):
    """Hands over, and frees the votes that what it handed over rests on."""

    def give(self, to: str, reason: str, now_s: float) -> float:
        until_s = super().give(to, reason, now_s)
        assert self.tally is not None
        self._release([self.tally.ballot], to, now_s)
        return until_s


class MeasuresFromTheOffer(Giving):
    """Tells what was left when it made the offer, not when it heard the answer."""

    def _say_offer(self, offered: Offered, now_s: float) -> None:
        if offered.life:
            offered.heard_s = offered.until_s - self._candidate.timing.offer_s
        super()._say_offer(offered, now_s)


# -- the taker ---------------------------------------------------------------------------------


class CountsFromTheHandOver(Taking):
    """Counts what is left from when it hears that it is handed over, not from its answer."""

    def on_handed(self, handed: Handed, now_s: float, *, able: bool) -> float | None:
        if self.ready is not None:
            self.ready.since_s = now_s
        return super().on_handed(handed, now_s, able=able)


class CountsFromTheLastAnswer(Taking):
    """Counts what is left from its latest answer to an offer, not from its first."""

    def on_offer(self, offer: Offer, now_s: float, *, able: bool) -> None:
        if self.ready is not None:
            self.ready.since_s = now_s
        super().on_offer(offer, now_s, able=able)


class TakesItForLonger(Taking):
    """Takes what is left for a tenth longer than it is."""

    def until_s(self, ready: Readiness, left_s: float) -> float:
        return ready.since_s + 1.1 * left_s


class TakesItAgain(Taking):
    """Takes what it was handed whenever it hears of it, let go of or not."""

    def on_handed(self, handed: Handed, now_s: float, *, able: bool) -> float | None:
        if self.ready is not None:
            self.ready.taken = False
        return super().on_handed(handed, now_s, able=able)


class LetsGoOfWhatItHolds(Candidate):
    """Tells everybody that the giver's votes are free while it still holds by them."""

    def take(self, giver: Ballot, until_s: float, now_s: float) -> None:
        before = len(self.out)
        super().take(giver, until_s, now_s)
        asked, self.out[before + 1 :] = self.out[before + 1 :], []
        self._release([giver], None, now_s)
        self.out += asked


# -- the voter ---------------------------------------------------------------------------------


class FreesInsteadOfPassing(Voter):
    """Frees the vote of who handed over, for anybody, and does not give it to the taker."""

    def on_propose(self, asked: Propose, now_s: float) -> Accepted | Refused:
        given = self.given(now_s)
        if asked.taken_over is not None and given is not None and given.ballot == asked.taken_over:
            self._given = None
            return Refused(asked.ballot, asked.attempt, Refusal.OUTBID, self.newest)
        return super().on_propose(asked, now_s)


class PassesWhateverIsLent(Voter):
    """Passes its vote to any taker, whomever it belongs to."""

    def _refusal(self, asked: Prepare | Propose, attempt: int, now_s: float) -> Refused | None:
        if asked.taken_over is not None:
            self._given = None
        return super()._refusal(asked, attempt, now_s)


HANDOVER_MUTANTS: dict[str, Build] = {
    "hands over before it lets go": HandsOverBeforeItLetsGo,
    "keeps what it gave": with_candidate(KeepsWhatItGave),
    "asks again too early": with_voter(AsksAgainTooEarly),
    "releases what it gave": with_candidate(ReleasesWhatItGave),
    "measures from the offer": with_giving(MeasuresFromTheOffer),
    "counts from the hand-over": with_taking(CountsFromTheHandOver),
    "counts from the last answer": with_taking(CountsFromTheLastAnswer),
    "takes it for longer": with_taking(TakesItForLonger),
    "takes it again": with_taking(TakesItAgain),
    "lets go of what it holds": with_candidate(LetsGoOfWhatItHolds),
    "frees instead of passing": with_voter(FreesInsteadOfPassing),
    "passes whatever is lent": with_voter(PassesWhateverIsLent),
}
