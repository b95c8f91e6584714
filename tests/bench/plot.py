"""The scale measurement as a picture: plain SVG, three panels side by side."""

import math
from dataclasses import dataclass
from typing import Optional
from xml.sax.saxutils import escape

from measuring import OK
from scale import ScaleRun

WIDTH, HEIGHT = 900, 300
LEFT, TOP, PANEL_WIDTH, PANEL_HEIGHT, GAP = 60, 60, 220, 180, 70
LINE = "#1f5fa8"


@dataclass(frozen=True)
class Panel:
    title: str
    points: list[tuple[int, float]]  # streams, value


def scale_plot(runs: list[ScaleRun]) -> str:
    """An SVG document; runs that failed leave no point."""
    valid = [run for run in runs if run.status == OK]
    panels = [
        Panel("MB/s, all streams", [(r.streams, r.mb_per_s) for r in valid]),
        Panel(
            "MiB of gateway's memory, peak",
            [(r.streams, r.server_peak_bytes / (1 << 20)) for r in valid],
        ),
        Panel(
            "Ack delay, p99, ms",
            [
                (r.streams, r.ack_delay_millis.p99)
                for r in valid
                if r.ack_delay_millis
            ],
        ),
    ]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        "<title>Throughput, memory and Ack delay by active streams</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for number, panel in enumerate(panels):
        lines += drawn(panel, LEFT + number * (PANEL_WIDTH + GAP))
    return "\n".join([*lines, "</svg>", ""])


def drawn(panel: Panel, left: int) -> list[str]:
    bottom = TOP + PANEL_HEIGHT
    lines = [
        text(left, TOP - 20, panel.title, "start", "bold"),
        f'<path d="M{left} {TOP}V{bottom}H{left + PANEL_WIDTH}" fill="none" '
        'stroke="#444444"/>',
        text(left + PANEL_WIDTH / 2, bottom + 38, "active streams", "middle"),
    ]
    if not panel.points:
        middle = left + PANEL_WIDTH / 2
        return [*lines, text(middle, TOP + 90, "not reported", "middle")]
    top_value = round_up(max(value for _, value in panel.points))
    for part in (0.0, 0.5, 1.0):
        y = bottom - part * PANEL_HEIGHT
        lines.append(
            f'<path d="M{left} {y:.0f}H{left + PANEL_WIDTH}" stroke="#dddddd"/>'
        )
        lines.append(text(left - 6, y + 4, f"{top_value * part:,g}", "end"))
    spots = places(panel.points, left, top_value)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    lines.append(f'<polyline points="{path}" fill="none" stroke="{LINE}" '
                 'stroke-width="2"/>')
    for (x, y), (streams, value) in zip(spots, panel.points):
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{LINE}"/>')
        lines.append(text(x, y - 8, f"{value:,.0f}", "middle"))
        lines.append(text(x, bottom + 18, f"{streams:,}", "middle"))
    return lines


def places(
    points: list[tuple[int, float]], left: int, top_value: float
) -> list[tuple[float, float]]:
    """Streams on a logarithmic axis, values on a linear one from 0."""
    widest = math.log2(max(max(streams for streams, _ in points), 2))
    inner = PANEL_WIDTH - 30
    return [
        (
            left + 15 + math.log2(streams) / widest * inner,
            TOP + PANEL_HEIGHT * (1 - value / top_value),
        )
        for streams, value in points
    ]


def round_up(value: float) -> float:
    """To 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    for factor in (1, 2, 5):
        if value <= factor * power:
            return factor * power
    return 10 * power


def text(
    x: float, y: float, words: str, anchor: str, weight: Optional[str] = None
) -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{bold}>'
            f"{escape(words)}</text>")
