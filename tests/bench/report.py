"""What a person reads: tables, as text or as Markdown."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from measuring import OK
from results import Figure, Summaries, Summary, divided
from scale import ScaleRun
from scenarios import Scenario

BEGIN = "<!-- bench: begin -->"
END = "<!-- bench: end -->"


@dataclass(frozen=True)
class Table:
    title: str
    heads: list[str]
    rows: list[list[str]]  # the first cell names the row
    notes: list[str]


def number(value: Optional[float], digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def scenario_table(scenario: Scenario, summaries: Summaries) -> Table:
    mine = [s for (name, _), s in summaries.items() if name == scenario.name]
    sink = summaries.get((scenario.name, "grpc_sink"))
    base = sink.rate() if sink else None
    rounds = max(summary.runs for summary in mine)
    return Table(
        f"{scenario.name}: {scenario.title}; median of {rounds}",
        [
            "peer",
            scenario.unit,
            "of gRPC sink",
            "CPU s/GB client",
            "server",
            "server's peak MiB",
            "Ack delay ms p50",
            "p99",
        ],
        [scenario_row(summary, base) for summary in mine],
        [
            f"{s.peer}: {s.status} ({s.valid_runs} of {s.runs} runs count): {s.reason}"
            for s in mine
            if s.status != OK
        ],
    )


def scenario_row(summary: Summary, base: Optional[float]) -> list[str]:
    if not summary.valid_runs:
        return [summary.peer, summary.status, *["-"] * 6]
    get = summary.medians.get
    peak = divided(get("server_peak_bytes"), float(1 << 20))
    return [
        summary.peer,
        number(summary.rate()),
        number(divided(summary.rate(), base), 2),
        number(get("client_cpu_s_per_gb"), 2),
        number(get("server_cpu_s_per_gb"), 2),
        number(peak or None),
        number(get("ack_delay_p50_millis")),
        number(get("ack_delay_p99_millis")),
    ]


def scale_table(runs: list[ScaleRun]) -> Table:
    return Table(
        "Active streams",
        [
            "streams",
            "MB/s",
            "CPU s/GB client",
            "server",
            "gateway's peak MiB",
            "MiB added by each",
            "Ack delay ms p50",
            "p99",
            "sending at once",
        ],
        [scale_row(run) for run in runs],
        [f"{r.streams}: {r.status}: {r.reason}" for r in runs if r.status != OK],
    )


def scale_row(run: ScaleRun) -> list[str]:
    if run.status != OK:
        return [number(run.streams), run.status, *["-"] * 7]
    delay = run.ack_delay_millis
    return [
        number(run.streams),
        number(run.mb_per_s),
        number(run.client_cpu_s_per_gb, 2),
        number(run.server_cpu_s_per_gb, 2),
        number(run.server_peak_bytes / (1 << 20)),
        number(run.added_bytes_per_stream / (1 << 20), 2),
        number(delay.p50 if delay else None),
        number(delay.p99 if delay else None),
        number(run.streams_at_once),
    ]


def figures_table(figures: list[Figure]) -> Table:
    words = {True: "met", False: "NOT MET", None: "not measured"}
    return Table(
        "Figures",
        ["figure", "bound", "measured", ""],
        [[f.what, f.bound, number(f.value, 2), words[f.met]] for f in figures],
        [],
    )


# --- as text, as Markdown -----------------------------------------------------


def as_text(table: Table) -> str:
    lines = [table.heads, *table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.heads))]
    said = [table.title]
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        said.append("  " + "  ".join(cells).rstrip())
    said += [f"  ! {note}" for note in table.notes]
    return "\n".join(said) + "\n"


def as_markdown(table: Table) -> str:
    lines = [f"### {table.title}", ""]
    lines.append("| " + " | ".join(table.heads) + " |")
    lines.append("|---" + "|--:" * (len(table.heads) - 1) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in table.rows]
    if table.notes:
        lines += ["", *(f"- {note}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def put_markdown(path: Path, text: str) -> None:
    """Between the marks of a file that has them; else it is the whole file."""
    if path.exists():
        before, begin, rest = path.read_text().partition(BEGIN)
        _, end, after = rest.partition(END)
        if begin and end:
            text = f"{before}{BEGIN}\n\n{text}\n{END}{after}"
    path.write_text(text)
