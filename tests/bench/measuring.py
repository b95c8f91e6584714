"""Runs of peers, in turns, each judged by what arrived."""

import os
import random
import time
from dataclasses import dataclass
from typing import Callable, Optional

from files import Place, Sample, empty, first_problem
from peer import AckDelay, Delivery, Peer
from processes import PeerFailed
from scenarios import Scenario
from warm import warm

OK = "ok"
FAILED = "failed"  # the peer could not start, or said itself that it failed
INVALID = "invalid"  # it said that all is well, but other bytes are there

Say = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """One peer, one scenario, once. Figures only if `status` is OK."""

    scenario: str
    peer: str
    round: int
    status: str
    reason: str = ""
    seconds: float = 0.0
    rate: float = 0.0  # in the scenario's unit
    client_cpu_s_per_gb: float = 0.0
    server_cpu_s_per_gb: float = 0.0
    server_peak_bytes: int = 0
    ack_delay_millis: Optional[AckDelay] = None


@dataclass(frozen=True)
class Used:
    """What one put took."""

    delivery: Delivery
    seconds: float
    server_cpu_seconds: float
    server_peak_bytes: int
    ack_delay: Optional[AckDelay]


def run_in_turns(
    place: Place,
    peers: list[Peer],
    scenario: Scenario,
    samples: list[Sample],
    rounds: int,
    say: Say,
) -> list[Run]:
    """Every peer once in each round, in another order each time, so that none
    profits or suffers from its place or from the one before it."""
    runs = []
    for number in range(rounds):
        for peer in in_order_of_round(peers, number):
            run = run_once(place, peer, scenario, samples, number + 1)
            runs.append(run)
            say(f"{scenario.name:3} round {run.round} of {rounds}  "
                f"{describe(run, scenario.unit)}")
    return runs


def in_order_of_round(peers: list[Peer], number: int) -> list[Peer]:
    """The same in every run of the benchmark."""
    return random.Random(number).sample(peers, len(peers))


def run_once(
    place: Place, peer: Peer, scenario: Scenario, samples: list[Sample], number: int
) -> Run:
    directory = place.fresh(f"{scenario.name}-{peer.name}")
    try:
        peer.start(directory)
        used = measure(peer, scenario, samples)
        problem = problem_of_run(peer, samples)
    except (PeerFailed, OSError, ValueError) as error:
        return Run(scenario.name, peer.name, number, FAILED, str(error))
    finally:
        peer.stop()
        empty(directory)
    if problem:
        return Run(scenario.name, peer.name, number, INVALID, problem)
    return as_run(scenario, peer.name, number, used)


def measure(peer: Peer, scenario: Scenario, samples: list[Sample]) -> Used:
    os.sync()  # what others left to write is no part of this run
    warm(samples if peer.takes_samples else [], scenario.total_bytes)
    before = peer.server.cpu_seconds() if peer.server else 0.0
    begin = time.monotonic()
    delivery = peer.put(samples, scenario.parallel)
    seconds = time.monotonic() - begin
    server_cpu = delivery.server_cpu_seconds
    peak = 0
    if peer.server:
        server_cpu += peer.server.cpu_seconds() - before
        peak = peer.server.peak_bytes()
    seconds = delivery.seconds or seconds
    return Used(delivery, seconds, server_cpu, peak, peer.ack_delay())


def problem_of_run(peer: Peer, samples: list[Sample]) -> Optional[str]:
    if not peer.takes_samples:
        return None
    return first_problem([(peer.stored(sample), sample) for sample in samples])


def as_run(scenario: Scenario, peer: str, number: int, used: Used) -> Run:
    gigabytes = scenario.total_bytes / 1e9
    return Run(
        scenario.name,
        peer,
        number,
        OK,
        seconds=used.seconds,
        rate=scenario.rate(used.seconds),
        client_cpu_s_per_gb=used.delivery.client_cpu_seconds / gigabytes,
        server_cpu_s_per_gb=used.server_cpu_seconds / gigabytes,
        server_peak_bytes=used.server_peak_bytes,
        ack_delay_millis=used.ack_delay,
    )


def describe(run: Run, unit: str) -> str:
    if run.status != OK:
        return f"{run.peer:13} {run.status.upper()}: {run.reason}"
    return (
        f"{run.peer:13} {run.rate:7,.0f} {unit:7}  {run.seconds:6.2f} s, "
        f"CPU s/GB {run.client_cpu_s_per_gb:.2f} + {run.server_cpu_s_per_gb:.2f}, "
        f"peak {run.server_peak_bytes >> 20} MiB"
    )
