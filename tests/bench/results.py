"""Medians of runs, ratios of medians, and the figures that they must meet."""

import statistics
from dataclasses import asdict, dataclass
from typing import Any, Callable, Optional

from measuring import FAILED, INVALID, OK, Run
from peers import PEERS

FIGURES = (
    "rate",
    "seconds",
    "client_cpu_s_per_gb",
    "server_cpu_s_per_gb",
    "server_peak_bytes",
)
# What the product is compared with; the disk is a limit, no peer.
COMPARED = ("product_without_receipts", "grpc_sink", "tls_sink", "nginx_hashed",
            "nginx", "sftp", "disk")

Medians = dict[str, Optional[float]]


@dataclass(frozen=True)
class Summary:
    """What the runs of one peer in one scenario come to."""

    scenario: str
    peer: str
    status: str  # the worst of its runs
    reason: str
    valid_runs: int
    runs: int
    medians: Medians  # of the valid runs; empty if there are none

    def rate(self) -> Optional[float]:
        return self.medians.get("rate")


# By scenario and peer.
Summaries = dict[tuple[str, str], Summary]
Ratios = dict[str, float]


def summarize(runs: list[Run]) -> Summaries:
    groups: dict[tuple[str, str], list[Run]] = {}
    names = [peer.name for peer in PEERS]
    for run in sorted(runs, key=lambda run: names.index(run.peer)):
        groups.setdefault((run.scenario, run.peer), []).append(run)
    return {key: summary_of(group) for key, group in groups.items()}


def summary_of(runs: list[Run]) -> Summary:
    valid = [run for run in runs if run.status == OK]
    wrong = [run for run in runs if run.status == INVALID]
    wrong += [run for run in runs if run.status == FAILED]
    return Summary(
        runs[0].scenario,
        runs[0].peer,
        wrong[0].status if wrong else OK,
        wrong[0].reason if wrong else "",
        len(valid),
        len(runs),
        medians_of(valid),
    )


def medians_of(valid: list[Run]) -> Medians:
    if not valid:
        return {}
    medians: Medians = {
        figure: statistics.median(getattr(run, figure) for run in valid)
        for figure in FIGURES
    }
    delays = [run.ack_delay_millis for run in valid if run.ack_delay_millis]
    for name in ("p50", "p99"):
        values = [getattr(delay, name) for delay in delays]
        medians[f"ack_delay_{name}_millis"] = (
            statistics.median(values) if values else None
        )
    return medians


# --- ratios -------------------------------------------------------------------


def ratios_of(summaries: Summaries) -> Ratios:
    """Of the product to each peer. More is better, but for CPU."""
    ratios: Ratios = {}
    for scenario in sorted({scenario for scenario, _ in summaries}):
        product = summaries.get((scenario, "product"))
        for name in COMPARED:
            peer = summaries.get((scenario, name))
            if product and peer:
                for what, measure in MEASURES.items():
                    ratio = divided(measure(product), measure(peer))
                    if ratio is not None and (what == "rate" or name != "disk"):
                        ratios[f"{scenario}_{what}_ratio_to_{name}"] = ratio
    return ratios


def server_cpu(summary: Summary) -> Optional[float]:
    return summary.medians.get("server_cpu_s_per_gb")


def all_cpu(summary: Summary) -> Optional[float]:
    server = server_cpu(summary)
    client = summary.medians.get("client_cpu_s_per_gb")
    return None if server is None or client is None else server + client


MEASURES: dict[str, Callable[[Summary], Optional[float]]] = {
    "rate": Summary.rate,
    "server_cpu": server_cpu,
    "all_cpu": all_cpu,
}


def divided(a: Optional[float], b: Optional[float]) -> Optional[float]:
    return a / b if a is not None and b else None


# --- figures to meet ----------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """A promise about one run of the benchmark."""

    what: str
    bound: str  # for people
    value: Optional[float]  # None: not measured, or nothing valid
    met: Optional[bool]  # None with `value`


def at_least(what: str, value: Optional[float], bound: float) -> Figure:
    met = None if value is None else value >= bound
    return Figure(what, f">= {bound:g}", value, met)


def at_most(what: str, value: Optional[float], bound: float) -> Figure:
    met = None if value is None else value <= bound
    return Figure(what, f"<= {bound:g}", value, met)


def figures_of(
    summaries: Summaries,
    ratios: Ratios,
    added_bytes_per_stream: Optional[float],
) -> list[Figure]:
    """`added_bytes_per_stream`: to the gateway's memory, with 256 streams."""
    added = divided(added_bytes_per_stream, float(1 << 20))
    get = ratios.get
    a4_rate = get("A4_rate_ratio_to_grpc_sink")
    return [
        at_least("A4: rate to the gRPC sink's", a4_rate, 1.15),
        at_least("A4: the aim", a4_rate, 1.3),
        at_least("C: rate to the gRPC sink's",
                 get("C_rate_ratio_to_grpc_sink"), 1.25),
        at_most("A4: gateway's CPU per GB to the gRPC sink's",
                get("A4_server_cpu_ratio_to_grpc_sink"), 1.0),
        at_least("B: files/s to the gRPC sink's",
                 get("B_rate_ratio_to_grpc_sink"), 0.9),
        at_least("B: files/s to sftp's", get("B_rate_ratio_to_sftp"), 1.0),
        at_least("B: files/s with receipts to those without",
                 get("B_rate_ratio_to_product_without_receipts"), 0.8),
        at_most("256 streams: MiB that each adds to the gateway", added, 2.0),
        at_most("A: p99 of Ack delay, ms", worst_delay(summaries), 1000.0),
    ]


def worst_delay(summaries: Summaries) -> Optional[float]:
    delays = [
        summaries[scenario, "product"].medians.get("ack_delay_p99_millis")
        for scenario in ("A1", "A4")
        if (scenario, "product") in summaries
    ]
    known = [delay for delay in delays if delay is not None]
    return max(known) if known else None


def as_json(summary: Summary, runs: list[Run]) -> dict[str, Any]:
    mine = [r for r in runs if (r.scenario, r.peer) == (summary.scenario, summary.peer)]
    return {**asdict(summary), "each_run": [asdict(run) for run in mine]}
