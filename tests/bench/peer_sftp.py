"""sftp with fsync, over a private sshd on a loopback port."""

import os
import pwd
from pathlib import Path

from files import Sample
from peer import Delivery, Peer, shares
from processes import Command, Server, free_port, run_all, run_tool

# The cipher that the other peers use under TLS.
CIPHER = "aes256-gcm@openssh.com"

CONFIG = """\
ListenAddress 127.0.0.1:{port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/user_key.pub
AllowUsers {user}
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
MaxStartups 100
AllowTcpForwarding no
Ciphers {cipher}
Subsystem sftp internal-sftp
"""


class Sftp(Peer):
    name = "sftp"
    does = (
        "one sftp process for each transfer, `sftp -f`: fsync of each file; no "
        "hashes, no sync of names"
    )

    def start(self, directory: Path) -> None:
        super().start(directory)
        self.path("store").mkdir()
        self._make_keys()
        self.port = free_port()
        self.user = pwd.getpwuid(os.getuid()).pw_name
        config = CONFIG.format(
            port=self.port, directory=directory, user=self.user, cipher=CIPHER
        )
        self.path("sshd_config").write_text(config)
        if os.getuid() == 0:
            # sshd, started by root, goes there to have nothing in reach.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        words = ["/usr/sbin/sshd", "-D", "-e", "-f", str(self.path("sshd_config"))]
        self.server = Server(words, self.path("server.log"))
        self.server.wait_for_port(self.port)

    def put(self, samples: list[Sample], parallel: int) -> Delivery:
        commands = [
            self._client(number, share)
            for number, share in enumerate(shares(samples, parallel))
        ]
        return Delivery(run_all(commands, self.workshop.seconds_max))

    def _client(self, number: int, samples: list[Sample]) -> Command:
        batch = self.path(f"batch-{number}")
        batch.write_text(
            "".join(f'put "{s.path}" "{self.stored(s)}"\n' for s in samples)
        )
        options = {
            "IdentityFile": self.path("user_key"),
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": self.path("known_hosts"),
            "StrictHostKeyChecking": "yes",
            "Ciphers": CIPHER,
        }
        words = ["sftp", "-F", "/dev/null", "-f", "-q", "-P", str(self.port)]
        for name, value in options.items():
            words += ["-o", f"{name}={value}"]
        words += ["-b", str(batch), f"{self.user}@127.0.0.1"]
        return Command(words, self.path("client.out"), self.path("client.log"))

    def _make_keys(self) -> None:
        for name in ("host_key", "user_key"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", ""]
            words += ["-f", str(self.path(name))]
            run_tool(words, self.path("keys.log"))
        key = self.path("host_key.pub").read_text()
        self.path("known_hosts").write_text(f"* {key}")
