"""What every peer is: something that takes files in and keeps them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, TypeVar

from files import Sample
from pki import Pki
from processes import Server

Item = TypeVar("Item")


@dataclass(frozen=True)
class Workshop:
    """What peers need to run."""

    programs: Path  # where Bazel put what it built
    pki: Pki
    seconds_max: float  # for one run of a client


@dataclass(frozen=True)
class AckDelay:
    """From sending a byte to hearing that it is durable, milliseconds."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Delivery:
    """What a peer used to bring its files in, beside its server's process."""

    client_cpu_seconds: float
    # Of what has to run on the server's side for the promise of this peer.
    server_cpu_seconds: float = 0.0
    # Instead of the time that the call took, from a peer with its own clock.
    seconds: Optional[float] = None


class Peer:
    """Used as: start, put, stop; `stop` whatever happened before."""

    name = ""
    # What it does for a file, for people.
    does = ""
    # False for one that makes its files itself.
    takes_samples = True
    # Scenarios that it runs in; empty: all.
    scenarios: tuple[str, ...] = ()

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.server: Optional[Server] = None
        self.directory = Path()

    def start(self, directory: Path) -> None:
        """Starts the server, which keeps everything below `directory`."""
        self.directory = directory

    def put(self, samples: list[Sample], parallel: int) -> Delivery:
        """Returns once all files are stored and synced."""
        raise NotImplementedError

    def stored(self, sample: Sample) -> Path:
        """Where it keeps the file now."""
        return self.directory / "store" / sample.name

    def ack_delay(self) -> Optional[AckDelay]:
        """Of the last put; None where there is no such thing."""
        return None

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.server = None

    def path(self, name: str) -> Path:
        return self.directory / name


def shares(items: list[Item], parallel: int) -> list[list[Item]]:
    """One for each of as many processes as there is work for."""
    lists = [items[i::parallel] for i in range(parallel)]
    return [share for share in lists if share]
