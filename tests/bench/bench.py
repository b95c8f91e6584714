#!/usr/bin/python3 -B
"""Measures Schleuse against the limits and against what others would take
instead: real processes, mutual TLS, loopback, in turns. `./dev bench` builds
everything and calls this; docs/performance.md says how to read what it prints.
"""

import argparse
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from files import Place, Sample, make_samples
from machine import free_bytes, machine_facts
from measuring import OK, Run, run_in_turns
from peer import Workshop
from peers import PEERS
from pki import Pki
from plot import scale_plot
from report import (Table, as_markdown, as_text, figures_table, put_markdown,
                    scale_table, scenario_table)
from results import (Figure, Ratios, Summaries, as_json, figures_of, ratios_of,
                     summarize)
from scale import ScaleRun, added_at, run_scale
from scenarios import FULL, QUICK, SCALE_FULL, SCALE_QUICK, Scenario

SCENARIOS = ("A", "B", "C", "scale")
# All sources, and what the largest run stores.
NEEDED_BYTES, NEEDED_BYTES_QUICK = 14 << 30, 1 << 30


@dataclass
class Outcome:
    """All that was measured."""

    quick: bool
    machine: dict[str, Any]
    scenarios: list[Scenario]
    runs: list[Run] = field(default_factory=list)
    scale: list[ScaleRun] = field(default_factory=list)

    def problems(self) -> list[str]:
        found = [
            f"{run.scenario} {run.peer}: {run.status}: {run.reason}"
            for run in self.runs
            if run.status != OK
        ]
        return found + [
            f"scale {run.streams}: {run.status}: {run.reason}"
            for run in self.scale
            if run.status != OK
        ]


def read_arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__.partition("`./dev")[0]
    )
    parser.add_argument("--json", type=Path, metavar="FILE",
                        help="write every run, medians, ratios and figures here")
    parser.add_argument("--markdown", type=Path, metavar="FILE",
                        help="write the tables here; between the marks of a file "
                        "that has them, such as docs/performance.md")
    parser.add_argument("--svg", type=Path, metavar="FILE",
                        help="write the plot of the scale measurement here")
    parser.add_argument("--quick", action="store_true",
                        help="small files, one round: proves that everything works "
                        "and says nothing about speed")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS,
                        help="only this one; may be repeated")
    parser.add_argument("--rounds", type=int, metavar="N",
                        help="of each scenario; 5, with --quick 1")
    parser.add_argument("--peer", action="append", metavar="NAME",
                        choices=[peer.name for peer in PEERS],
                        help="only this one; may be repeated: "
                        + ", ".join(peer.name for peer in PEERS))
    parser.add_argument("--dir", type=Path, default=Path(
                        os.environ.get("TMPDIR", "/var/tmp")),
                        help="where files go, on the disk to be measured; a "
                        "directory made in it is removed at the end")
    parser.add_argument("--bin", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--certs", type=Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    needed = NEEDED_BYTES_QUICK if arguments.quick else NEEDED_BYTES
    if free_bytes(arguments.dir) < needed:
        parser.error(f"{arguments.dir} needs {needed >> 30} GiB of free space")
    return arguments


def chosen_scenarios(arguments: argparse.Namespace) -> list[Scenario]:
    letters = arguments.scenario or SCENARIOS
    return [s for s in (QUICK if arguments.quick else FULL) if s.name[0] in letters]


def measure(arguments: argparse.Namespace) -> Outcome:
    outcome = Outcome(
        arguments.quick, machine_facts(arguments.dir), chosen_scenarios(arguments)
    )
    with Place(arguments.dir) as place:
        workshop = Workshop(
            arguments.bin.resolve(),
            Pki(arguments.certs.resolve(), place.root / "pki"),
            seconds_max=60.0 if arguments.quick else 600.0,
        )
        measure_peers(arguments, outcome, place, workshop)
        if "scale" in (arguments.scenario or SCENARIOS):
            steps = SCALE_QUICK if arguments.quick else SCALE_FULL
            outcome.scale = run_scale(place, workshop, steps, say)
    return outcome


def measure_peers(
    arguments: argparse.Namespace, outcome: Outcome, place: Place, workshop: Workshop
) -> None:
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    names = arguments.peer or [peer.name for peer in PEERS]
    peers = [peer(workshop) for peer in PEERS if peer.name in names]
    samples: dict[str, list[Sample]] = {}
    for scenario in outcome.scenarios:
        if scenario.samples not in samples:
            say(f"{scenario.name:3} making {scenario.title}")
            samples[scenario.samples] = make_samples(
                place.root / scenario.samples, scenario.files, scenario.file_bytes
            )
        running = [p for p in peers if scenario.name in (p.scenarios or (scenario.name,))]
        outcome.runs += run_in_turns(
            place, running, scenario, samples[scenario.samples], rounds, say
        )


def report(arguments: argparse.Namespace, outcome: Outcome) -> None:
    summaries = summarize(outcome.runs)
    ratios = ratios_of(summaries)
    tables: list[Table] = [scenario_table(s, summaries) for s in outcome.scenarios]
    if outcome.scale:
        tables.append(scale_table(outcome.scale))
    figures: list[Figure] = []
    if not outcome.quick:  # its sizes say nothing about speed
        figures = figures_of(summaries, ratios, added_at(outcome.scale, 256))
        tables.append(figures_table(figures))
    print("\n" + "\n".join(as_text(table) for table in tables))
    if arguments.markdown:
        text = "\n".join(as_markdown(table) for table in tables)
        put_markdown(arguments.markdown, text)
    if arguments.svg:
        arguments.svg.write_text(scale_plot(outcome.scale))
    if arguments.json:
        document = document_of(outcome, summaries, ratios, figures)
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


def document_of(
    outcome: Outcome, summaries: Summaries, ratios: Ratios, figures: list[Figure]
) -> dict[str, Any]:
    """For programs: every run and all that follows from them."""
    disk = [s for s in summaries.values() if s.peer == "disk"]
    return {
        "quick": outcome.quick,
        "machine": {
            **outcome.machine,
            "disk_rates": {s.scenario: s.rate() for s in disk},
        },
        "scenarios": [{**asdict(s), "unit": s.unit} for s in outcome.scenarios],
        "peers": {peer.name: peer.does for peer in PEERS},
        "results": [as_json(s, outcome.runs) for s in summaries.values()],
        "scale": [asdict(run) for run in outcome.scale],
        "ratios": ratios,
        "figures": [asdict(figure) for figure in figures],
        "problems": outcome.problems(),
        "notes": notes_of(outcome),
    }


def notes_of(outcome: Outcome) -> list[str]:
    delays = [r.ack_delay_millis for r in outcome.runs if r.peer == "product"]
    delays += [run.ack_delay_millis for run in outcome.scale]
    if delays and not any(delays):
        return ["this schleuse-upload reports no ack_delay_millis"]
    return []


def say(text: str) -> None:
    print(text, flush=True)


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_by_signal(number: int, _: object) -> NoReturn:
    for later in SIGNALS:  # another would interrupt the cleaning up
        signal.signal(later, signal.SIG_IGN)
    sys.exit(128 + number)  # through every `finally`


def main(words: list[str]) -> int:
    for number in SIGNALS:
        signal.signal(number, end_by_signal)
    arguments = read_arguments(words)
    outcome = measure(arguments)
    report(arguments, outcome)
    for problem in outcome.problems():
        say(f"bench: {problem}")
    if outcome.problems():
        return 1
    say(f"bench: {len(outcome.runs) + len(outcome.scale)} runs, all valid")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
