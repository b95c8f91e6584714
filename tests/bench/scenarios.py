"""What is sent."""

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Scenario:
    name: str
    files: int
    file_bytes: int
    parallel: int
    counts_files: bool = False  # files/s instead of MB/s

    @property
    def samples(self) -> str:
        """Scenarios that send the same files name them alike."""
        return self.name[0].lower()

    @property
    def total_bytes(self) -> int:
        return self.files * self.file_bytes

    @property
    def unit(self) -> str:
        return "files/s" if self.counts_files else "MB/s"

    @property
    def title(self) -> str:
        text = size_text(self.file_bytes)
        if self.files == 1:
            return f"one file of {text}"
        return f"{self.files:,} files of {text}, {self.parallel} at a time"

    def rate(self, seconds: float) -> float:
        if self.counts_files:
            return self.files / seconds
        return self.total_bytes / 1e6 / seconds


def size_text(size: int) -> str:
    for unit, shift in (("GiB", 30), ("MiB", 20)):
        if size >> shift:
            return f"{size >> shift} {unit}"
    return f"{size >> 10} KiB"


FULL = [
    Scenario("A1", 64, 32 * MEBIBYTE, 1),
    Scenario("A4", 64, 32 * MEBIBYTE, 4),
    Scenario("B", 2000, 64 << 10, 8, counts_files=True),
    Scenario("C", 1, 4096 * MEBIBYTE, 1),
]

QUICK = [
    Scenario("A1", 8, 4 * MEBIBYTE, 1),
    Scenario("A4", 8, 4 * MEBIBYTE, 4),
    Scenario("B", 100, 64 << 10, 8, counts_files=True),
    Scenario("C", 1, 64 * MEBIBYTE, 1),
]


@dataclass(frozen=True)
class ScaleStep:
    """`processes` clients with `each` streams, each bringing one file."""

    processes: int
    each: int
    file_bytes: int

    @property
    def streams(self) -> int:
        return self.processes * self.each

    @property
    def total_bytes(self) -> int:
        return self.streams * self.file_bytes


# A device may have 64 streams; a dock of that size has its own certificate.
SCALE_FULL = [
    ScaleStep(1, 1, 2048 * MEBIBYTE),
    ScaleStep(1, 16, 128 * MEBIBYTE),
    ScaleStep(8, 32, 8 * MEBIBYTE),
    ScaleStep(40, 50, 2 * MEBIBYTE),
]
SCALE_QUICK = [ScaleStep(1, 1, 16 * MEBIBYTE), ScaleStep(2, 8, MEBIBYTE)]
