"""Processes of a run: servers that stay, clients that are waited for, and what
both used. Every process is ended by its own id."""

import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

START_SECONDS = 30.0
SAMPLE_SECONDS = 0.2
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class PeerFailed(Exception):
    """A peer cannot start, or did not do its work; the text says why."""


def tail_of(log: Path, lines: int = 3) -> str:
    try:
        text = log.read_text(errors="replace").strip()
    except OSError:
        return ""
    return " | ".join(text.splitlines()[-lines:])


def free_port() -> int:
    """For servers that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- what a tree of processes used --------------------------------------------


def tree_of(pid: int) -> list[int]:
    """The process and all its living descendants."""
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children") as file:
                    found.extend(int(word) for word in file.read().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return found


def cpu_seconds_of(pid: int) -> float:
    """Its own and that of the children it has waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    fields = stat.rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS_PER_SECOND


def peak_bytes_of(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


# --- servers ------------------------------------------------------------------


class Server:
    """A process that runs until it is stopped, watched all the time."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        # Does not outlive us, however we end.
        words = ["setpriv", "--pdeathsig", "TERM", *command]
        with open(log, "ab") as out:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self._peak = 0
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self._watch.start()

    def wait_until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self._process.poll() is not None:
                raise PeerFailed(f"the server ended: {tail_of(self.log)}")
            if time.monotonic() > deadline:
                raise PeerFailed(f"the server is not ready: {tail_of(self.log)}")
            time.sleep(0.01)

    def wait_for_port_file(self, path: Path) -> int:
        self.wait_until(lambda: path.exists() and path.read_text().strip() != "")
        return int(path.read_text())

    def wait_for_port(self, port: int) -> None:
        self.wait_until(lambda: is_open(port))

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds_of(pid) for pid in tree_of(self._process.pid))

    def peak_bytes(self) -> int:
        """Largest sum over its processes. Exact for those that still live;
        those that ended were looked at five times a second."""
        self._look()
        return self._peak

    def stop(self) -> None:
        self._over.set()
        self._watch.join()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        total = sum(peak_bytes_of(pid) for pid in tree_of(self._process.pid))
        self._peak = max(self._peak, total)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- clients ------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    words: list[str]
    out: Path  # what it says on standard output
    errors: Path


def run_all(commands: list[Command], seconds_max: float) -> float:
    """Runs them side by side; returns the CPU seconds of all."""
    processes = [_start(command) for command in commands]
    timer = threading.Timer(seconds_max, _kill_all, [processes])
    timer.start()
    try:
        ended = [os.wait4(process.pid, 0) for process in processes]
    except BaseException:
        _kill_all(processes)
        raise
    finally:
        timer.cancel()
    for process, (_, status, _) in zip(processes, ended):
        process.returncode = os.waitstatus_to_exitcode(status)
    for process, command in zip(processes, commands):
        _check(command, process.returncode, seconds_max)
    return float(sum(use.ru_utime + use.ru_stime for _, _, use in ended))


def run_tool(words: list[str], log: Path) -> None:
    """For preparations, which are not measured."""
    run_all([Command(words, log, log)], 120.0)


def _start(command: Command) -> subprocess.Popen[bytes]:
    words = ["setpriv", "--pdeathsig", "TERM", *command.words]
    with open(command.out, "ab") as out, open(command.errors, "ab") as errors:
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=errors
        )


def _kill_all(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.returncode is None:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def _check(command: Command, code: int, seconds_max: float) -> None:
    if code == 0:
        return
    program = Path(command.words[0]).name
    if code == -signal.SIGKILL:
        raise PeerFailed(f"{program} was killed, at the latest after "
                         f"{seconds_max:.0f} s: {tail_of(command.errors)}")
    raise PeerFailed(f"{program} ended with {code}: {tail_of(command.errors)}")
