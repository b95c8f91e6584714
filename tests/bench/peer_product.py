"""The product: schleuse-gateway and schleuse-upload, as they are installed."""

import json
from pathlib import Path
from typing import Any, Iterator, Optional

from files import Sample
from peer import AckDelay, Delivery, Peer
from pki import key_of
from processes import Command, PeerFailed, Server, run_all, run_tool

CAMERA = "bwc-bench"

CONFIG = """\
listen: "127.0.0.1:0"
spool_directory: "{directory}/spool"
store {{ file {{ root: "{directory}/store" }} }}
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

CUSTODY = """\
custody {{
  gateway_name: "police.example/gw-bench"
  directory: "{directory}/custody"
  key_directory: "{directory}/custody-keys"
}}
"""

ROSTER = """\
trust_domain: "police.example"
issuer {{ role: "dock" certificate_file: "{pki}/ca-devices.pem" }}
grant {{ name: "all" device: "dock/bench/*" camera: "bwc-*" }}
"""


class Product(Peer):
    name = "product"
    does = (
        "mTLS, CRC-32C of every chunk, hashed on both sides and compared, "
        "durable in spool and store, resumable at every byte; ends with a signed "
        "receipt that the device verifies"
    )
    receipts = True

    def start(self, directory: Path) -> None:
        super().start(directory)
        self._write_settings()
        gateway = str(self.workshop.programs / "gateway/schleuse-gateway")
        config = str(self.path("gateway.textproto"))
        run_tool([gateway, "init", "--config", config], self.path("init.log"))
        port_file = self.path("port")
        command = [gateway, "serve", "--config", config]
        command += ["--port-file", str(port_file)]
        self.server = Server(command, self.path("server.log"))
        self.port = self.server.wait_for_port_file(port_file)

    def put(self, samples: list[Sample], parallel: int) -> Delivery:
        command = self.upload(samples, parallel, CAMERA, 0)
        return Delivery(run_all([command], self.workshop.seconds_max))

    def upload(
        self, samples: list[Sample], parallel: int, camera: str, device: int
    ) -> Command:
        """One run of schleuse-upload, as dock `device`."""
        certificate = self.workshop.pki.device(device)
        words = [
            str(self.workshop.programs / "client/upload/schleuse-upload"),
            "--json",
            *("--gateway", f"127.0.0.1:{self.port}"),
            *("--cert", str(certificate)),
            *("--key", str(key_of(certificate))),
            *("--ca", str(self.workshop.pki.root)),
            *("--camera", camera),
            *("--parallel", str(parallel)),
        ]
        if self.receipts:
            words += ["--custody-keys", str(self.path("custody/keys.pub"))]
        words += [str(sample.path) for sample in samples]
        return Command(words, self.events(device), self.path("client.log"))

    def events(self, device: int = 0) -> Path:
        return self.path(f"events-{device}.json")

    def stored(self, sample: Sample) -> Path:
        return self.stored_of(CAMERA, sample)

    def stored_of(self, camera: str, sample: Sample) -> Path:
        bundle = self.directory / "store" / camera / sample.name
        files = list(bundle.glob("recording.*"))
        return files[0] if len(files) == 1 else bundle / "recording"

    def ack_delay(self) -> Optional[AckDelay]:
        return ack_delay_of(self.events())

    def _write_settings(self) -> None:
        pki = self.workshop.pki
        words = {
            "directory": self.directory,
            "certificate": pki.server,
            "key": key_of(pki.server),
            "pki": pki.directory,
        }
        words["custody"] = CUSTODY.format(**words) if self.receipts else ""
        self.path("gateway.textproto").write_text(CONFIG.format(**words))
        self.path("roster.textproto").write_text(ROSTER.format(**words))


class ProductWithoutReceipts(Product):
    """What the custody log costs where it costs most: many small files."""

    name = "product_without_receipts"
    does = "as the product, but keeps no custody log and gives no receipts"
    receipts = False
    scenarios = ("B",)


def events_of(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, one a line; other lines are passed over."""
    with open(path, errors="replace") as lines:
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event


def ack_delay_of(path: Path) -> Optional[AckDelay]:
    """What the summary says; None if it says nothing of it."""
    summaries = [e for e in events_of(path) if e.get("event") == "summary"]
    if not summaries:
        raise PeerFailed("schleuse-upload wrote no summary")
    delay: Any = summaries[-1].get("ack_delay_millis")
    try:
        return AckDelay(float(delay["p50"]), float(delay["p99"]))
    except (TypeError, KeyError, ValueError):
        return None
