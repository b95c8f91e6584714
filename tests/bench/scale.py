"""The product with 1 to 2,000 active streams: several schleuse-upload at once,
each a dock of its own with its own camera, all of them sending the same files."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from files import Place, Sample, empty, first_problem, make_samples
from measuring import FAILED, INVALID, OK, Say
from peer import AckDelay, Workshop
from peer_product import Product, ack_delay_of, events_of
from processes import PeerFailed, run_all
from scenarios import ScaleStep
from warm import warm


@dataclass(frozen=True)
class ScaleRun:
    """Figures only if `status` is OK."""

    streams: int
    processes: int
    file_bytes: int
    status: str
    reason: str = ""
    seconds: float = 0.0
    mb_per_s: float = 0.0
    client_cpu_s_per_gb: float = 0.0
    server_cpu_s_per_gb: float = 0.0
    server_peak_bytes: int = 0
    # Beyond what the gateway had before the first stream.
    added_bytes_per_stream: float = 0.0
    # Most streams that were sending at one moment, by the clients' own reports.
    streams_at_once: int = 0
    # Of all clients: the median of their p50, the worst of their p99.
    ack_delay_millis: Optional[AckDelay] = None


def run_scale(
    place: Place, workshop: Workshop, steps: list[ScaleStep], say: Say
) -> list[ScaleRun]:
    runs = []
    for step in steps:
        directory = place.fresh(f"scale-{step.streams}")
        samples = make_samples(directory / "samples", step.each, step.file_bytes)
        runs.append(run_step(directory, Product(workshop), step, samples))
        empty(directory)
        say(describe(runs[-1]))
    return runs


def run_step(
    directory: Path, product: Product, step: ScaleStep, samples: list[Sample]
) -> ScaleRun:
    head = (step.streams, step.processes, step.file_bytes)
    try:
        product.start(directory)
        run = measure(product, step, samples)
        problem = first_problem([
            (product.stored_of(camera_of(number), sample), sample)
            for number in range(step.processes)
            for sample in samples
        ])
    except (PeerFailed, OSError, ValueError) as error:
        return ScaleRun(*head, FAILED, str(error))
    finally:
        product.stop()
    return ScaleRun(*head, INVALID, problem) if problem else run


def measure(product: Product, step: ScaleStep, samples: list[Sample]) -> ScaleRun:
    commands = [
        product.upload(samples, step.each, camera_of(number), number)
        for number in range(step.processes)
    ]
    assert product.server is not None
    os.sync()
    warm(samples, step.total_bytes)
    cpu_before = product.server.cpu_seconds()
    peak_before = product.server.peak_bytes()
    begin = time.monotonic()
    client_cpu = run_all(commands, product.workshop.seconds_max)
    seconds = time.monotonic() - begin
    peak = product.server.peak_bytes()
    server_cpu = product.server.cpu_seconds() - cpu_before
    listings = [product.events(number) for number in range(step.processes)]
    return ScaleRun(
        step.streams,
        step.processes,
        step.file_bytes,
        OK,
        seconds=seconds,
        mb_per_s=step.total_bytes / 1e6 / seconds,
        client_cpu_s_per_gb=client_cpu / step.total_bytes * 1e9,
        server_cpu_s_per_gb=server_cpu / step.total_bytes * 1e9,
        server_peak_bytes=peak,
        added_bytes_per_stream=(peak - peak_before) / step.streams,
        streams_at_once=streams_at_once(listings),
        ack_delay_millis=joined([ack_delay_of(listing) for listing in listings]),
    )


def camera_of(number: int) -> str:
    return f"bwc-{number}"


def joined(delays: list[Optional[AckDelay]]) -> Optional[AckDelay]:
    known = [delay for delay in delays if delay is not None]
    if not known:
        return None
    middle = sorted(delay.p50 for delay in known)[len(known) // 2]
    return AckDelay(middle, max(delay.p99 for delay in known))


def streams_at_once(listings: list[Path]) -> int:
    """A stream counts from the first report that it sent something until it is
    stored."""
    begun: dict[tuple[str, str], int] = {}
    ended: dict[tuple[str, str], int] = {}
    for listing in listings:
        for event in events_of(listing):
            key = (str(event.get("camera")), str(event.get("recording")))
            at = event.get("time_unix_millis", 0)
            if event.get("position", 0) > 0:
                begun.setdefault(key, at)
            if event.get("event") == "stored":
                ended[key] = at
    # At one moment those that end go before those that begin.
    changes = [(at, 1) for at in begun.values()]
    changes += [(at, -1) for key, at in ended.items() if key in begun]
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def added_at(runs: list[ScaleRun], streams: int) -> Optional[float]:
    for run in runs:
        if run.streams == streams and run.status == OK:
            return run.added_bytes_per_stream
    return None


def describe(run: ScaleRun) -> str:
    head = f"scale {run.streams:5,} streams  "
    if run.status != OK:
        return f"{head}{run.status.upper()}: {run.reason}"
    delay = run.ack_delay_millis
    said = f"{delay.p99:.0f} ms" if delay else "not reported"
    return (
        f"{head}{run.mb_per_s:5,.0f} MB/s, gateway's peak "
        f"{run.server_peak_bytes >> 20} MiB, p99 of Ack delay {said}, "
        f"{run.streams_at_once} at once"
    )
