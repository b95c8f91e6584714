"""The disk alone: no network, no hashes, bytes from memory."""

import json
from pathlib import Path

from files import Sample
from peer import Delivery, Peer
from processes import Command, run_all

SEQUENTIAL_BYTES_MAX = 1 << 30
SMALL_FILE_BYTES_MAX = 1 << 20


class Disk(Peer):
    name = "disk"
    does = (
        "its own rate: threads that write from memory and sync. Small files "
        "are created, written, synced and renamed, their directory synced; of "
        "large ones 1 GiB in all"
    )
    takes_samples = False

    def start(self, directory: Path) -> None:
        super().start(directory)
        self.path("store").mkdir()

    def put(self, samples: list[Sample], parallel: int) -> Delivery:
        size = samples[0].size
        if size <= SMALL_FILE_BYTES_MAX:
            files, file_bytes, name_each = len(samples), size, "yes"
        else:
            total = min(size * len(samples), SEQUENTIAL_BYTES_MAX)
            files, file_bytes, name_each = parallel, total // parallel, "no"
        words = [
            str(self.workshop.programs / "tests/bench/disk_rates"),
            *("--directory", str(self.path("store"))),
            *("--files", str(files)),
            *("--file-bytes", str(file_bytes)),
            *("--threads", str(parallel)),
            *("--name-each", name_each),
        ]
        out = self.path("rates.json")
        command = Command(words, out, self.path("client.log"))
        cpu = run_all([command], self.workshop.seconds_max)
        said = json.loads(out.read_text())
        # As if it had written all that the others write.
        part = said["bytes"] / (size * len(samples))
        return Delivery(cpu / part, seconds=said["seconds"] / part)
