"""The two bare sinks, built from this folder."""

from pathlib import Path

from files import Sample
from peer import Delivery, Peer
from pki import key_of
from processes import Command, Server, run_all


class Sink(Peer):
    """`<name>` is its server's program, `<name>_client` its client's."""

    def start(self, directory: Path) -> None:
        super().start(directory)
        self.path("store").mkdir()
        words = [
            self._program(self.name),
            *("--directory", str(self.path("store"))),
            *("--port-file", str(self.path("port"))),
            *self._identity(self.workshop.pki.server),
        ]
        self.server = Server(words, self.path("server.log"))
        self.port = self.server.wait_for_port_file(self.path("port"))

    def put(self, samples: list[Sample], parallel: int) -> Delivery:
        words = [
            self._program(self.name + "_client"),
            *("--port", str(self.port)),
            *("--parallel", str(parallel)),
            *self._identity(self.workshop.pki.device(0)),
        ]
        words += [str(sample.path) for sample in samples]
        log = self.path("client.log")
        cpu = run_all([Command(words, log, log)], self.workshop.seconds_max)
        return Delivery(cpu)

    def _program(self, name: str) -> str:
        return str(self.workshop.programs / "tests/bench" / name)

    def _identity(self, certificate: Path) -> list[str]:
        return [
            *("--cert", str(certificate)),
            *("--key", str(key_of(certificate))),
            *("--ca", str(self.workshop.pki.root)),
        ]


class GrpcSink(Sink):
    name = "grpc_sink"
    does = (
        "bare gRPC: mTLS, messages of 1 MiB, hashed on both sides and "
        "compared, synced before the answer"
    )


class TlsSink(Sink):
    name = "tls_sink"
    does = (
        "bare TLS 1.3 stream over OpenSSL: the same work as the gRPC sink; "
        "the limit for any protocol"
    )
