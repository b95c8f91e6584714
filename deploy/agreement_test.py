"""Three files say whom the gateway may talk to: its configuration, the packet
filter and the unit. They must say the same, and an edit to one of them alone
must show."""

import ipaddress
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import NamedTuple, Union

NFT = "/usr/sbin/nft"
IP = "/usr/sbin/ip"

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Destination = tuple[Network, int]


class Files(NamedTuple):
    config: str
    filter: str
    unit: str


FILES = Files(
    config=Path("deploy/gateway.textproto").read_text(),
    filter=Path("deploy/schleuse.nft").read_text(),
    unit=Path("deploy/schleuse-gateway.service").read_text(),
)


# --- reading ------------------------------------------------------------------


def without_comments(text: str) -> str:
    return re.sub(r"(?m)^\s*#.*$|\s#.*$", "", text)


def of_config(text: str) -> tuple[set[Destination], int]:
    """What `egress` allows, and the port that the gateway listens on."""
    text = without_comments(text)
    allowed = set()
    for block in re.findall(r"(?ms)^egress \{(.*?)^\}", text):
        for entry in re.findall(r'allow: "([^"]*)"', block):
            network, port = entry.rsplit(":", 1)
            allowed.add((ipaddress.ip_network(network.strip("[]")), int(port)))
    listen = re.findall(r'^listen: "[^"]*:(\d+)"', text, re.MULTILINE)
    return allowed, int(listen[0])


def elements(text: str, name: str) -> list[str]:
    """Of a set of the packet filter."""
    sets = re.findall(rf"(?s)set {name} \{{(.*?)\n  \}}", text)
    assert len(sets) == 1, f"{len(sets)} sets {name}"
    found = re.findall(r"(?s)elements = \{(.*?)\}", sets[0])
    return [e.strip() for part in found for e in part.split(",") if e.strip()]


class Filter(NamedTuple):
    devices: set[Network]
    destinations: set[Destination]
    user: str
    port: int


def of_filter(text: str) -> Filter:
    text = without_comments(text)
    devices, destinations = set(), set()
    for family in ("4", "6"):
        for element in elements(text, f"devices{family}"):
            devices.add(ipaddress.ip_network(element))
        for element in elements(text, f"destinations{family}"):
            network, port = element.split(" . ")
            destinations.add((ipaddress.ip_network(network), int(port)))
    user = re.findall(r'define gateway_user = "(.*)"', text)
    port = re.findall(r"define listen_port = (\d+)", text)
    return Filter(devices, destinations, user[0], int(port[0]))


def of_unit(text: str) -> tuple[set[str], set[Network], str]:
    """Words and networks of IPAddressAllow, and the user."""
    words = set()
    for line in re.findall(r"(?m)^IPAddressAllow=(.*)$", text):
        words |= set(line.split())
    named = {word for word in words if not re.search(r"[.:]", word)}
    networks = {ipaddress.ip_network(word) for word in words - named}
    return named, networks, re.findall(r"(?m)^User=(.*)$", text)[0]


def disagreements(files: Files) -> list[str]:
    allowed, port = of_config(files.config)
    packet_filter = of_filter(files.filter)
    named, networks, user = of_unit(files.unit)
    called = {network for network, _ in allowed}
    found = []
    if not allowed:
        found.append("egress.allow is empty")
    if packet_filter.destinations != allowed:
        found.append("schleuse.nft: destinations are not egress.allow")
    if networks != packet_filter.devices | called:
        found.append("unit: IPAddressAllow is not devices and egress.allow")
    if named != {"localhost"}:
        found.append("unit: IPAddressAllow names more than localhost")
    if "\nIPAddressDeny=any\n" not in files.unit:
        found.append("unit: IPAddressDeny is not any")
    if packet_filter.user != user:
        found.append("schleuse.nft: gateway_user is not the unit's User")
    if packet_filter.port != port:
        found.append("schleuse.nft: listen_port is not that of listen")
    return found


# --- the tests ----------------------------------------------------------------


class AgreementTest(unittest.TestCase):
    def edited(self, field: str, old: str, new: str) -> Files:
        text: str = getattr(FILES, field)
        self.assertIn(old, text)
        return FILES._replace(**{field: text.replace(old, new, 1)})

    def test_the_three_files_agree(self) -> None:
        self.assertEqual(disagreements(FILES), [])

    def test_an_edit_to_one_of_them_shows(self) -> None:
        allow = 'allow: "10.20.0.0/24:8444"'
        destination = "elements = { 10.20.0.0/24 . 8444 }"
        device = "elements = { 10.10.0.0/16 }"
        for field, old, new in (
            # the configuration
            ("config", allow, ""),
            ("config", allow, "# " + allow),
            ("config", allow, allow + '\n  allow: "10.21.0.0/24:8444"'),
            ("config", allow, 'allow: "10.20.0.0/23:8444"'),
            ("config", allow, 'allow: "10.20.0.0/24:443"'),
            ("config", allow, allow + '\n  allow: "[fd00:20::/32]:8444"'),
            ("config", ":8443", ":9443"),
            # the packet filter
            ("filter", destination, ""),
            ("filter", destination, "# " + destination),
            ("filter", destination, "elements = { 10.20.0.0/24 . 443 }"),
            ("filter", destination, "elements = { 10.20.0.0/16 . 8444 }"),
            ("filter", destination, destination[:-1] + ", 192.0.2.0/24 . 443 }"),
            ("filter", device, ""),
            ("filter", device, "elements = { 10.0.0.0/8 }"),
            ("filter", device, "elements = { 10.10.0.0/16, 10.11.0.0/16 }"),
            ("filter", '"schleuse"', '"nobody"'),
            ("filter", "8443", "8444"),
            # the unit
            ("unit", "IPAddressAllow=10.20.0.0/24", ""),
            ("unit", "IPAddressAllow=10.20.0.0/24", "IPAddressAllow=10.20.0.0/16"),
            ("unit", "localhost 10.10.0.0/16", "localhost"),
            ("unit", "localhost 10.10.0.0/16", "localhost 10.0.0.0/8"),
            ("unit", "localhost", "any"),
            ("unit", "localhost", "localhost link-local"),
            ("unit", "IPAddressDeny=any", "IPAddressDeny=multicast"),
            ("unit", "User=schleuse", "User=root"),
        ):
            with self.subTest(field=field, new=new):
                self.assertNotEqual(disagreements(self.edited(field, old, new)), [])

    def test_an_edit_to_all_of_them_agrees(self) -> None:
        v6 = "type ipv6_addr . inet_service\n    flags interval\n"
        edited = Files(
            config=self.edited(
                "config",
                'allow: "10.20.0.0/24:8444"',
                'allow: "10.20.0.0/24:8444"\n  allow: "[fd00:20::/32]:443"',
            ).config,
            filter=self.edited(
                "filter", v6, v6 + "    elements = { fd00:20::/32 . 443 }\n"
            ).filter,
            unit=self.edited(
                "unit", "Allow=10.20.0.0/24", "Allow=10.20.0.0/24 fd00:20::/32"
            ).unit,
        )
        self.assertEqual(disagreements(edited), [])


# A network of its own, so that nobody else's rules are read or changed.
IN_A_NETWORK = ["/usr/bin/unshare", "--user", "--map-root-user", "--net"]

# Packets go out by a device that nobody listens behind, as whoever is root in
# there.
TRY = """
set -euo pipefail
{ip} link set lo up
{ip} tuntap add d0 mode tap
{ip} addr add 10.99.0.1/24 dev d0
{ip} link set d0 up
{ip} route add 10.0.0.0/8 dev d0
{nft} -f {file}
{nft} -f {file}
for address in {addresses}; do
  timeout 0.3 bash -c "</dev/tcp/${{address/:/\\/}}" 2>/dev/null || true
done
{nft} -j list counter inet schleuse refused_out
"""


class PacketFilterTest(unittest.TestCase):
    def setUp(self) -> None:
        permitted = subprocess.run(
            IN_A_NETWORK + ["true"], capture_output=True, check=False
        )
        if not Path(NFT).exists() or permitted.returncode != 0:
            self.skipTest("no nft, or no network of one's own is permitted")
        self.directory = Path(tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR")))
        self.addCleanup(shutil.rmtree, self.directory)
        self.file = self.directory / "schleuse.nft"
        # The user need not exist here.
        self.file.write_text(FILES.filter.replace('"schleuse"\n', "0\n", 1))

    def run_there(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            IN_A_NETWORK + list(words),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )

    def test_it_can_be_read(self) -> None:
        done = self.run_there(NFT, "-c", "-f", str(self.file))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.file.write_text(self.file.read_text().replace("goto", "goto to"))
        done = self.run_there(NFT, "-c", "-f", str(self.file))
        self.assertNotEqual(done.returncode, 0)

    def dropped(self, *addresses: str) -> int:
        """Packets that the gateway's user sent in vain."""
        script = TRY.format(
            ip=IP, nft=NFT, file=self.file, addresses=" ".join(addresses)
        )
        done = self.run_there("bash", "-c", script)
        self.assertEqual(done.returncode, 0, done.stdout)
        return int(re.findall(r'"packets": (\d+)', done.stdout)[0])

    def test_what_is_not_on_the_list_is_dropped_and_counted(self) -> None:
        make_device = [IP, "tuntap", "add", "d0", "mode", "tap"]
        if not Path(IP).exists() or self.run_there(*make_device).returncode != 0:
            self.skipTest("no network device can be made here")
        self.assertEqual(self.dropped("10.20.0.5:8444"), 0)
        self.assertEqual(self.dropped("127.0.0.1:9"), 0)
        self.assertGreater(self.dropped("10.20.0.5:443"), 0)
        self.assertGreater(self.dropped("10.40.0.5:8444"), 0)
        self.assertGreater(self.dropped("10.10.0.5:8444"), 0)  # a device's


if __name__ == "__main__":
    unittest.main()
