#!/usr/bin/python3 -B
"""Measures Schleuse before a real Ceph against curl to the same one: parts of the
same size, over the same TLS, in turns. `./dev bench --s3` builds everything and
calls this; docs/performance.md says how to read what it prints.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

from files import Place, Sample, make_samples
from peer_product import CAMERA, CUSTODY, ROSTER, events_of
from pki import Pki, key_of
from processes import Command, PeerFailed, Server, is_open, run_all, run_tool

PART_BYTES = 8 << 20
PARALLEL = 4
FEW, MANY = 2, 34  # connections whose memory is compared
SECONDS_MAX = 900.0

CONFIG = """\
listen: "127.0.0.1:0"
spool_directory: "{directory}/spool"
store {{ s3 {{
  endpoint: "{endpoint}" bucket: "{bucket}" credentials_file: "{credentials}"
  connections: {connections}
}} }}
egress {{ allow: "{address}" }}
tls {{
  certificate_chain_file: "{certificate}"
  private_key_file: "{key}"
  root_certificates_file: "{pki}/root.pem"
  revocation_list_files: "{pki}/crl-devices.pem"
}}
roster_file: "{directory}/roster.textproto"
{custody}
limits {{ spool_reserve_bytes: 1048576 }}
"""


class Ceph:
    """Started once for all runs."""

    def __init__(self, program: Path, place: Path, pki: Pki) -> None:
        self._dir = place / "ceph"
        certificate = pki._issue("gateway", "s3", "--ip", "127.0.0.1", "--no-uri")
        words = [str(program), "--dir", str(self._dir), "--size-gib", "40"]
        words += ["--certificate", str(certificate)]
        words += ["--key", str(key_of(certificate))]
        self.server = Server(words, place / "ceph.log")
        ready = self._dir / "ready.json"
        deadline = time.monotonic() + 180
        while not ready.exists():
            if time.monotonic() > deadline:
                raise PeerFailed("Ceph does not start")
            time.sleep(0.1)
        told = json.loads(ready.read_text())
        self.endpoint = told["endpoint"]
        self.address = self.endpoint.removeprefix("https://")
        self.port = int(self.address.rpartition(":")[2])
        self.credentials = place / "s3.key"
        self.credentials.touch(0o600)
        self.credentials.write_text(
            f"access_key={told['access_key']}\nsecret_key={told['secret_key']}\n"
        )
        self._curl = place / "curl.conf"
        self._curl.touch(0o600)
        self._curl.write_text(
            f'user = "{told["access_key"]}:{told["secret_key"]}"\n'
            f'cacert = "{pki.root}"\naws-sigv4 = "aws:amz:us-east-1:s3"\n'
            'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"\nsilent\nfail\n'
            "show-error\n"
        )

    def curl(self, *words: str) -> list[str]:
        return ["curl", "--config", str(self._curl), *words]

    def make_bucket(self, name: str, log: Path) -> None:
        run_tool(self.curl("-X", "PUT", f"{self.endpoint}/{name}"), log)

    def put_down(self) -> None:
        (self._dir / "rgw.down").touch()
        wait_until(lambda: not is_open(self.port), "the store to go")

    def put_up(self) -> None:
        (self._dir / "rgw.down").unlink()
        wait_until(lambda: is_open(self.port), "the store to come back")


def wait_until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not done():
        if time.monotonic() > deadline:
            raise PeerFailed(f"waited too long for {what}")
        time.sleep(0.02)


def curl_seconds(ceph: Ceph, place: Place, samples: list[Sample]) -> float:
    """PARALLEL curls, each with one connection, share the samples' bytes in
    parts."""
    directory = place.fresh("curl")
    bucket = directory.name
    ceph.make_bucket(bucket, directory / "log")
    parts = cut(samples, directory)
    commands = []
    for i in range(PARALLEL):
        words = []
        for part in parts[i::PARALLEL]:
            words += ["-T", str(part), f"{ceph.endpoint}/{bucket}/{part.name}"]
        commands.append(Command(ceph.curl(*words), directory / "out",
                                directory / "errors"))
    begin = time.monotonic()
    run_all(commands, SECONDS_MAX)
    return time.monotonic() - begin


def cut(samples: list[Sample], directory: Path) -> list[Path]:
    parts = []
    for sample in samples:
        data = sample.path.read_bytes()
        for at in range(0, len(data), PART_BYTES):
            part = directory / f"{sample.name}.{at // PART_BYTES}"
            part.write_bytes(data[at : at + PART_BYTES])
            parts.append(part)
    return parts


class Gateway:
    def __init__(self, bin: Path, pki: Pki, ceph: Ceph, directory: Path,
                 connections: int = 8) -> None:
        self._bin, self._pki, self._dir = bin, pki, directory
        ceph.make_bucket(directory.name, directory / "bucket.log")
        words: dict[str, Any] = {
            "directory": directory,
            "certificate": pki.server,
            "key": key_of(pki.server),
            "pki": pki.directory,
            "endpoint": ceph.endpoint,
            "address": ceph.address,
            "bucket": directory.name,
            "credentials": ceph.credentials,
            "connections": connections,
        }
        words["custody"] = CUSTODY.format(**words)
        config = directory / "gateway.textproto"
        config.write_text(CONFIG.format(**words))
        (directory / "roster.textproto").write_text(ROSTER.format(**words))
        program = str(bin / "gateway/schleuse-gateway")
        run_tool([program, "init", "--config", str(config)], directory / "init.log")
        self._log = directory / "server.log"
        self._words = [program, "serve", "--config", str(config)]
        self.start()

    def start(self) -> None:
        port_file = self._dir / "port"
        port_file.unlink(missing_ok=True)
        self.server = Server([*self._words, "--port-file", str(port_file)], self._log)
        self.port = self.server.wait_for_port_file(port_file)

    def upload(self, samples: list[Sample], parallel: int = PARALLEL) -> list[str]:
        device = self._pki.device(0)
        return [
            str(self._bin / "client/upload/schleuse-upload"), "--json",
            "--gateway", f"127.0.0.1:{self.port}",
            "--cert", str(device), "--key", str(key_of(device)),
            "--ca", str(self._pki.root), "--camera", CAMERA,
            "--custody-keys", str(self._dir / "custody/keys.pub"),
            "--parallel", str(parallel), *(str(s.path) for s in samples),
        ]

    def stored(self) -> int:
        return sum(e.get("event") == "recording stored" for e in events_of(self._log))



def end_to_end_seconds(gateway: Gateway, samples: list[Sample]) -> float:
    directory = gateway._dir
    begin = time.monotonic()
    run_all([Command(gateway.upload(samples), directory / "events",
                     directory / "client.log")], SECONDS_MAX)
    return time.monotonic() - begin


def told_to_wait(events: Path) -> int:
    """Recordings that are safe in the spool, and whose device waits."""
    return len({e.get("recording") for e in events_of(events)
                if e.get("event") == "waiting"
                and "the store is away" in str(e)})


def drain_seconds(gateway: Gateway, ceph: Ceph, samples: list[Sample]) -> float:
    """From the store's return to the last recording that is stored, read back."""
    fill_spool(gateway, ceph, samples)
    os.sync()
    ceph.put_up()
    begin = time.monotonic()
    wait_until(lambda: gateway.stored() >= len(samples), "the spool to drain")
    return time.monotonic() - begin


def peak_of_draining(gateway: Gateway, ceph: Ceph, samples: list[Sample]) -> int:
    """Of a gateway that does nothing else: it finds its spool full at its start."""
    fill_spool(gateway, ceph, samples)
    gateway.server.stop()
    ceph.put_up()
    gateway.start()
    wait_until(lambda: gateway.stored() >= len(samples), "the spool to drain")
    return gateway.server.peak_bytes()


def fill_spool(gateway: Gateway, ceph: Ceph, samples: list[Sample]) -> None:
    """Leaves the store down."""
    directory = gateway._dir
    ceph.put_down()
    events = directory / "events"
    with open(events, "ab") as out, open(directory / "client.log", "ab") as log:
        device = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM",
             *gateway.upload(samples, min(64, len(samples)))],
            stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        try:
            wait_until(lambda: told_to_wait(events) >= len(samples),
                       "the spool to be full")
        finally:
            device.terminate()
            device.wait()


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench --s3", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=32)
    parser.add_argument("--file-mib", type=int, default=32)
    parser.add_argument("--dir", type=Path,
                        default=Path(os.environ.get("TMPDIR", "/var/tmp")))
    parser.add_argument("--bin", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--certs", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--ceph", type=Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    total = arguments.files * arguments.file_mib << 20
    rates: dict[str, list[float]] = {"curl": [], "drain": [], "end to end": []}
    peak = 0
    with Place(arguments.dir) as place:
        pki = Pki(arguments.certs.resolve(), place.root / "pki")
        samples = make_samples(place.root / "samples", arguments.files,
                               arguments.file_mib << 20)
        ceph = Ceph(arguments.ceph.resolve(), place.root, pki)
        try:
            for number in range(arguments.rounds):
                seconds = {"curl": curl_seconds(ceph, place, samples)}
                for what in ("end to end", "drain"):
                    gateway = Gateway(arguments.bin.resolve(), pki, ceph,
                                      place.fresh(what.replace(" ", "-")))
                    try:
                        if what == "drain":
                            seconds[what] = drain_seconds(gateway, ceph, samples)
                        else:
                            seconds[what] = end_to_end_seconds(gateway, samples)
                    finally:
                        peak = max(peak, gateway.server.peak_bytes())
                        gateway.server.stop()
                for what, taken in seconds.items():
                    rates[what].append(total / 1e6 / taken)
                print(f"round {number + 1} of {arguments.rounds}: " + ", ".join(
                    f"{what} {rates[what][-1]:.0f} MB/s" for what in seconds),
                    flush=True)
            peaks = []
            for connections in (FEW, MANY):
                gateway = Gateway(arguments.bin.resolve(), pki, ceph,
                                  place.fresh(f"memory-{connections}"), connections)
                try:
                    peaks.append(peak_of_draining(gateway, ceph, samples))
                finally:
                    gateway.server.stop()
        finally:
            ceph.server.stop()
    for what in ("drain", "end to end"):
        ratio = statistics.median(
            ours / theirs for ours, theirs in zip(rates[what], rates["curl"]))
        print(f"{what}, read back: {ratio:.2f} of {PARALLEL} parallel curls")
    print(f"gateway: at most {peak >> 20} MiB resident; draining alone "
          f"{peaks[0] >> 20} MiB with {FEW} connections, {peaks[1] >> 20} MiB with "
          f"{MANY}: {(peaks[1] - peaks[0]) / (MANY - FEW) / 2**20:.2f} MiB each")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
