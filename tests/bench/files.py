"""The files that are sent, and where they land.

Samples are random bytes whose SHA-256 is known from their making, so that what
a peer stored can be judged without trusting the peer.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Optional, TypeVar

PIECE_BYTES = 1 << 20

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Sample:
    path: Path
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return self.path.name


def make_sample(path: Path, size: int) -> Sample:
    digest = hashlib.sha256()
    with open(path, "wb", buffering=0) as out:
        left = size
        while left > 0:
            piece = os.urandom(min(left, PIECE_BYTES))
            out.write(piece)
            digest.update(piece)
            left -= len(piece)
    return Sample(path, size, digest.hexdigest())


def make_samples(directory: Path, count: int, size: int) -> list[Sample]:
    directory.mkdir()
    paths = [directory / f"{directory.name}-{i:05}.bin" for i in range(count)]
    return on_all_cores(lambda path: make_sample(path, size), paths)


def on_all_cores(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, items))


def sha256_of(path: Path) -> str:
    """Reads the file, which brings it into the page cache as well."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def problem_of(stored: Path, sample: Sample) -> Optional[str]:
    """What is wrong with a stored file; None if it is the sample."""
    try:
        size = stored.stat().st_size
        if size != sample.size:
            return f"{sample.name}: {size} bytes are stored of {sample.size}"
        if sha256_of(stored) != sample.sha256:
            return f"{sample.name}: other bytes are stored"
    except OSError as error:
        return f"{sample.name}: not stored ({error.strerror})"
    return None


def first_problem(pairs: list[tuple[Path, Sample]]) -> Optional[str]:
    problems = on_all_cores(lambda pair: problem_of(*pair), pairs)
    wrong = [problem for problem in problems if problem]
    if not wrong:
        return None
    return f"{len(wrong)} of {len(pairs)} files are wrong: {wrong[0]}"


def read_through(path: Path) -> None:
    buffer = bytearray(PIECE_BYTES)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


class Place:
    """One directory for everything, gone at the end, whatever happens."""

    def __init__(self, parent: Path) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="schleuse-bench-", dir=parent))
        # On ext4 each directory in it then begins in a part of the disk of its
        # own: what one run deletes does not slow down another that creates.
        # Elsewhere this fails, and there is no such thing.
        subprocess.run(["chattr", "+T", str(self.root)], capture_output=True)
        self._count = 0

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    def fresh(self, name: str) -> Path:
        """A new, empty directory."""
        self._count += 1
        path = self.root / f"{self._count:04}-{name}"
        path.mkdir()
        return path


def empty(directory: Path) -> None:
    """Gives the space of all files back and leaves their names: on some file
    systems making files is slow right after thousands were deleted."""
    for parent, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(parent, name)
            if os.path.isfile(path) and not os.path.islink(path):
                os.chmod(path, 0o600)
                os.truncate(path, 0)
