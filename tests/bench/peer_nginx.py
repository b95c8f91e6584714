"""nginx takes files by PUT from curl, as it is and with hashes of both sides."""

import os
from pathlib import Path

from files import Sample
from peer import Delivery, Peer, shares
from pki import key_of
from processes import Command, PeerFailed, Server, free_port, run_all

CONFIG = """\
{user}
daemon off;
worker_processes auto;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/unused;
  fastcgi_temp_path {directory}/unused;
  uwsgi_temp_path {directory}/unused;
  scgi_temp_path {directory}/unused;
  client_max_body_size 0;
  client_body_buffer_size 1m;
  keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_client_certificate {root};
    ssl_verify_client on;
    ssl_verify_depth 2;
    ssl_protocols TLSv1.3;
    ssl_session_tickets off;
    root {directory}/store;
    location / {{ dav_methods PUT; }}
  }}
}}
"""


class Nginx(Peer):
    name = "nginx"
    does = (
        "PUT by curl, client certificates; no hashes, no answer that means "
        "durable: one sync of the file system at the end"
    )

    def start(self, directory: Path) -> None:
        super().start(directory)
        self.path("store").mkdir()
        self.port = free_port()
        pki = self.workshop.pki
        config = CONFIG.format(
            # Else its workers could not write below a directory of ours.
            user="user root root;" if os.getuid() == 0 else "",
            directory=directory,
            port=self.port,
            certificate=pki.server,
            key=key_of(pki.server),
            root=pki.root,
        )
        self.path("nginx.conf").write_text(config)
        words = ["/usr/sbin/nginx", "-p", str(directory)]
        words += ["-e", str(self.path("error.log"))]
        words += ["-c", str(self.path("nginx.conf"))]
        self.server = Server(words, self.path("error.log"))
        self.server.wait_for_port(self.port)

    def put(self, samples: list[Sample], parallel: int) -> Delivery:
        client = self._run([self._curl(samples, parallel)])
        return Delivery(client, self._run([self._sync()]))

    def _run(self, commands: list[Command]) -> float:
        return run_all(commands, self.workshop.seconds_max)

    def _curl(self, samples: list[Sample], parallel: int) -> Command:
        certificate = self.workshop.pki.device(0)
        lines = [
            "silent",
            "show-error",
            "fail",
            "http1.1",
            "tlsv1.3",
            "parallel",
            "parallel-immediate",
            f"parallel-max = {parallel}",
            # Else curl waits for leave to send before every large file.
            'header = "Expect:"',
            f'cert = "{certificate}"',
            f'key = "{key_of(certificate)}"',
            f'cacert = "{self.workshop.pki.root}"',
        ]
        for sample in samples:
            url = f"https://127.0.0.1:{self.port}/{sample.name}"
            lines += [f'upload-file = "{sample.path}"', f'url = "{url}"']
        config = self.path("curl.conf")
        config.write_text("\n".join(lines) + "\n")
        words = ["curl", "--config", str(config)]
        return Command(words, self.path("client.out"), self.path("client.log"))

    def _sync(self) -> Command:
        words = ["sync", "--file-system", str(self.path("store"))]
        return Command(words, self.path("sync.log"), self.path("sync.log"))


class NginxHashed(Nginx):
    name = "nginx_hashed"
    does = (
        "the same, with `openssl dgst -sha256` of every file on both sides and "
        "compared: what half of the promise costs elsewhere"
    )

    def put(self, samples: list[Sample], parallel: int) -> Delivery:
        sources = [sample.path for sample in samples]
        # The client's hashes run beside its upload: the best it can do.
        hashing = self._hashing(sources, parallel, "sent")
        client = self._run([self._curl(samples, parallel), *hashing])
        server = self._run([self._sync()])
        targets = [self.stored(sample) for sample in samples]
        server += self._run(self._hashing(targets, parallel, "kept"))
        if self._hashes("sent") != self._hashes("kept"):
            raise PeerFailed("the hashes of the two sides differ")
        return Delivery(client, server)

    def _hashing(self, files: list[Path], parallel: int, side: str) -> list[Command]:
        return [
            Command(
                ["openssl", "dgst", "-sha256", "-r", *map(str, share)],
                self.path(f"{side}-{i}.sha256"),
                self.path("hashing.log"),
            )
            for i, share in enumerate(shares(files, parallel))
        ]

    def _hashes(self, side: str) -> dict[str, str]:
        """By name. A line is: hash, space, asterisk, path."""
        hashes = {}
        for listing in self.directory.glob(f"{side}-*.sha256"):
            for line in listing.read_text().splitlines():
                sha256, _, path = line.partition(" *")
                hashes[Path(path).name] = sha256
        return hashes
