"""What the daemon tells of itself: metrics, and warnings before anything is lost."""

import re
import signal
import time

import pytest
from tests.netns.farm import Farm, wait_for

from stillup.heartbeat.control import ask

pytestmark = [pytest.mark.netns, pytest.mark.timeout(60)]


def test_prometheus_reads_who_holds(farm: Farm) -> None:
    text = ask(farm.control("lb1"), {"op": "metrics"})["text"]
    assert isinstance(text, str)
    assert 'stillup_heartbeat_holding{address="10.0.0.1"} 1\n' in text
    assert re.search(r'stillup_heartbeat_votes\{address="10\.0\.0\.1"\} [23]\n', text)
    assert "stillup_heartbeat_datagrams_received_total " in text
    other = ask(farm.control("lb2"), {"op": "metrics"})["text"]
    assert isinstance(other, str)
    assert 'stillup_heartbeat_holding{address="10.0.0.1"} 0\n' in other


def test_lateness_is_told_before_it_costs_the_address(farm: Farm) -> None:
    moves = farm.status("lb1")["moves"]
    farm.signal_daemon("lb1", signal.SIGSTOP)
    time.sleep(0.28)  # its next timer was due within 0.125 s, and later than 0.125 s is told
    farm.signal_daemon("lb1", signal.SIGCONT)
    wait_for(lambda: bool(farm.status("lb1").get("warnings")), "it is warned of")
    said = str(farm.status("lb1")["warnings"])
    assert "late within the last two minutes; from 0.365 s on it loses what it holds" in said
    assert farm.status("lb1")["moves"] == moves
