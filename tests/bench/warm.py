"""Memory as a machine that runs all day has it.

A virtual machine may give free memory back to its host, and then the first
touch of a page costs ten times a later one: the order of the runs would decide
their ranking. So just before a run its sources are read, and as much free
memory is touched as it will write, and some more.
"""

import mmap

from files import Sample, read_through

CHUNK_BYTES = 32 << 20
MORE_BYTES = 512 << 20


def warm(samples: list[Sample], landing_bytes: int) -> None:
    for sample in samples:
        read_through(sample.path)
    size = min(landing_bytes + MORE_BYTES, available_bytes() // 2)
    kept = [touched(CHUNK_BYTES) for _ in range(size // CHUNK_BYTES)]
    for memory in kept:
        memory.close()


def touched(size: int) -> mmap.mmap:
    """In large pages: small ones are not what the page cache takes first."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    memory[:: mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)
    return memory


def available_bytes() -> int:
    with open("/proc/meminfo") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    raise OSError("/proc/meminfo has no MemAvailable")
