"""A log that the real gateway wrote, read by two verifiers that share no code:
schleuse-verify, and one in Go over golang.org/x/mod/sumdb. Both accept it, and
both reject each kind of damage."""

import base64
import base64
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Callable, Optional

VERIFY = "client/verify/schleuse-verify"
INDEPENDENT = "tests/custody/independent"
RECORDINGS = 300  # more statements than one full tile holds

CONFIG = """\
listen: "127.0.0.1:0"
spool_directory: "{d}/spool"
store {{ file {{ root: "{d}/store" }} }}
tls {{
  certificate_chain_file: "{d}/pki/gateway-hq-g1.pem"
  private_key_file: "{d}/pki/gateway-hq-g1.key"
  root_certificates_file: "{d}/pki/root.pem"
  revocation_list_files: "{d}/pki/crl-devices.pem"
}}
roster_file: "{d}/roster.textproto"
custody {{
  gateway_name: "police.example/gw-1"
  directory: "{d}/custody"
  key_directory: "{d}/keys"
}}
limits {{ spool_reserve_bytes: 1048576 }}
"""
ROSTER = """\
trust_domain: "police.example"
issuer {{ role: "dock" certificate_file: "{d}/pki/ca-devices.pem" }}
grant {{ name: "all" device: "dock/s/*" camera: "bwc-*" }}
"""


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


def must(*words: object) -> None:
    done = run(*words)
    if done.returncode != 0:
        raise AssertionError(f"{words[0]} ended with {done.returncode}:\n{done.stdout}")


class House:
    """A gateway and a dock, as real processes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.gateway: Optional[subprocess.Popen[bytes]] = None
        certs = "certs/schleuse-certs"
        must(certs, "init", directory / "pki")
        must(certs, "issue", directory / "pki", "gateway", "g1", "--ip", "127.0.0.1")
        must(certs, "issue", directory / "pki", "dock", "d1", "--station", "s")
        self.config = directory / "gateway.textproto"
        self.config.write_text(CONFIG.format(d=directory))
        (directory / "roster.textproto").write_text(ROSTER.format(d=directory))
        must("gateway/schleuse-gateway", "init", "--config", self.config)

    def start(self) -> None:
        port = self.directory / "port"
        port.unlink(missing_ok=True)
        with open(self.directory / "gateway.log", "ab") as log:
            self.gateway = subprocess.Popen(
                ["gateway/schleuse-gateway", "serve", "--config", self.config]
                + ["--port-file", port],
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        for _ in range(300):
            if port.exists() and port.read_text().strip():
                self.port = port.read_text().strip()
                return
            if self.gateway.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError((self.directory / "gateway.log").read_text()[-2000:])

    def end(self, how: signal.Signals) -> None:
        assert self.gateway is not None
        self.gateway.send_signal(how)
        self.gateway.wait(60)
        self.gateway = None

    def bring(self, first: int, count: int) -> None:
        footage = self.directory / "footage"
        footage.mkdir(exist_ok=True)
        files = []
        for i in range(first, first + count):
            files.append(footage / f"r{i}.mp4")
            files[-1].write_bytes(os.urandom(1000 + i))
        must(
            *("client/upload/schleuse-upload", "--gateway", f"127.0.0.1:{self.port}"),
            *("--cert", self.directory / "pki/dock-s-d1.pem"),
            *("--key", self.directory / "pki/dock-s-d1.key"),
            *("--ca", self.directory / "pki/root.pem", "--camera", "bwc-1"),
            *("--custody-keys", self.directory / "custody/keys.pub"),
            *("--parallel", "8", "--retry-for", "60s"),
            *files,
        )


class IndependentTest(unittest.TestCase):
    """One house for all tests; each damages a copy of what it left."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.root = Path(tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR")))
        cls.house = House(cls.root)
        cls.house.start()
        try:
            cls.house.bring(0, RECORDINGS // 2)
            cls.house.end(signal.SIGKILL)
            cls.house.start()
            # What somebody else keeps of it, and a gateway that forgot the rest.
            cls.kept = cls.root / "kept"
            shutil.copy(cls.present() / "checkpoint", cls.kept)
            cls.house.end(signal.SIGTERM)
            cls.fork_of = cls.root / "fork"
            for part in ("custody", "keys", "spool", "store"):
                shutil.copytree(cls.root / part, cls.fork_of / part)
            cls.house.start()
            cls.house.bring(RECORDINGS // 2, RECORDINGS - RECORDINGS // 2)
            cls.after = cls.root / "after"
            cls.house.end(signal.SIGTERM)
            shutil.copy(cls.present() / "checkpoint", cls.after)
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.house.gateway is not None:
            cls.house.end(signal.SIGKILL)
        shutil.rmtree(cls.root)

    @classmethod
    def present(cls) -> Path:
        """The newest log of the house."""
        return sorted((cls.root / "custody").glob("*/checkpoint"))[-1].parent

    # --- both verifiers -------------------------------------------------------

    def verdicts(
        self, custody: Path, kept: Optional[Path] = None, store: Optional[Path] = None
    ) -> tuple[bool, bool]:
        """Ours and the other one's."""
        keys = self.root / "custody/keys.pub"
        own = [VERIFY, "log", custody, "--key", keys]
        other = [INDEPENDENT, "-custody", custody, "-keys", keys]
        if kept:
            own += ["--kept", kept]
            other += ["-kept", kept]
        if store:
            other += ["-store", store]
        ours = run(*own)
        if store and ours.returncode == 0:
            bundles = sorted(store.glob("*/*"))
            ours = run(VERIFY, "bundle", *bundles, "--key", keys)
        theirs = run(*other)
        self.assertIn(ours.returncode, (0, 1), ours.stdout)
        self.assertIn(theirs.returncode, (0, 1), theirs.stdout)
        return ours.returncode == 0, theirs.returncode == 0

    def rejected(
        self, damage: Callable[[Path], None], kept: Optional[Path] = None
    ) -> None:
        with tempfile.TemporaryDirectory(dir=self.root) as scratch:
            copy = Path(scratch) / "custody"
            shutil.copytree(self.root / "custody", copy)
            damage(copy / self.present().name)
            self.assertEqual(self.verdicts(copy, kept), (False, False))

    # --- what they say --------------------------------------------------------

    def test_the_log_of_the_real_gateway_holds(self) -> None:
        for kept in (self.kept, self.after):
            self.assertEqual(
                self.verdicts(self.root / "custody", kept, self.root / "store"),
                (True, True),
            )

    def test_one_byte_in_a_bundle(self) -> None:
        for name in ("recording.mp4", "statement.json", "receipt.tlog-proof"):
            with tempfile.TemporaryDirectory(dir=self.root) as scratch:
                store = Path(scratch) / "store"
                shutil.copytree(self.root / "store", store)
                flip(sorted(store.glob(f"*/*/{name}"))[7], 500)
                self.assertEqual(
                    self.verdicts(self.root / "custody", None, store), (False, False)
                )

    def test_one_byte_in_a_tile(self) -> None:
        for tile in ("tile/0/000", "tile/1/000.p/*", "tile/0/002.p/*"):
            self.rejected(lambda log: flip(newest(log, tile), 33))

    def test_one_byte_in_an_entry(self) -> None:
        self.rejected(lambda log: flip(log / "tile/entries/001", 4000))
        self.rejected(lambda log: flip(newest(log, "tile/entries/002.p/*"), 90))

    def test_one_byte_in_a_checkpoint(self) -> None:
        size = (self.present() / "checkpoint").stat().st_size
        for at in (5, 40, 60, size - 10):
            self.rejected(lambda log: flip(log / "checkpoint", at))

    def test_a_dropped_entry(self) -> None:
        self.rejected(lambda log: rewrite(log, 0, lambda e: e[:10] + e[11:]))

    def test_swapped_entries(self) -> None:
        self.rejected(
            lambda log: rewrite(log, 0, lambda e: [e[1], e[0]] + e[2:])
        )

    def test_an_inserted_entry(self) -> None:
        self.rejected(lambda log: rewrite(log, 0, lambda e: [e[5]] + e[:-1]))
        self.rejected(lambda log: rewrite(log, 0, lambda e: e + [e[5]]))

    def test_a_tile_that_is_gone(self) -> None:
        self.rejected(lambda log: (log / "tile/0/001").unlink())
        self.rejected(lambda log: (log / "tile/entries/001").unlink())

    def test_a_log_cut_behind_a_kept_checkpoint(self) -> None:
        with tempfile.TemporaryDirectory(dir=self.root) as scratch:
            shutil.copytree(self.fork_of / "custody", Path(scratch) / "custody")
            custody = Path(scratch) / "custody"
            # In itself it is whole ...
            self.assertEqual(self.verdicts(custody), (True, True))
            # ... but others know that there was more.
            self.assertEqual(self.verdicts(custody, self.after), (False, False))

    def test_a_fork_under_the_same_keys(self) -> None:
        with tempfile.TemporaryDirectory(dir=self.root) as scratch:
            fork = Path(scratch)
            for part in ("custody", "keys", "spool", "store"):
                shutil.copytree(self.fork_of / part, fork / part)
            shutil.copytree(self.root / "pki", fork / "pki")
            other = House.__new__(House)
            other.directory = fork
            other.config = fork / "gateway.textproto"
            other.config.write_text(CONFIG.format(d=fork))
            (fork / "roster.textproto").write_text(ROSTER.format(d=fork))
            other.start()
            try:
                other.bring(5000, RECORDINGS)
            finally:
                other.end(signal.SIGTERM)
            self.assertEqual(self.verdicts(fork / "custody"), (True, True))
            # It is no continuation of the one that others were shown.
            self.assertEqual(
                self.verdicts(fork / "custody", self.after), (False, False)
            )

    def test_a_chain_of_years_the_first_deleted_by_its_deadline(self) -> None:
        with tempfile.TemporaryDirectory(dir=self.root) as scratch:
            made = Path(scratch)
            must("tests/custody/write_log", made, 300, 3)
            keys = made / "custody/keys.pub"

            def hold(custody: Path) -> tuple[bool, bool]:
                return (
                    run(VERIFY, "log", custody, "--key", keys).returncode == 0,
                    run(INDEPENDENT, "-custody", custody, "-keys", keys).returncode == 0,
                )

            self.assertFalse((made / "custody/2024/tile/entries").exists())
            self.assertTrue((made / "custody/2025/tile/entries").exists())
            self.assertEqual(hold(made / "custody"), (True, True))
            # Deleted, and nobody says so.
            unsaid = made / "unsaid"
            shutil.copytree(made / "custody", unsaid)
            shutil.rmtree(unsaid / "2025/tile/entries")
            self.assertEqual(hold(unsaid), (False, False))
            # One bit of what stayed.
            damaged = made / "damaged"
            shutil.copytree(made / "custody", damaged)
            flip(damaged / "2024/tile/0/000", 77)
            self.assertEqual(hold(damaged), (False, False))
            gap = made / "gap"
            shutil.copytree(made / "custody", gap)
            shutil.rmtree(gap / "2025")
            self.assertEqual(hold(gap), (False, False))

    def test_the_real_gateway_states_that_footage_stayed_with_it(self) -> None:
        keys = self.root / "custody/keys.pub"
        done = run(VERIFY, "residency", self.root / "custody", "--key", keys)
        self.assertEqual(done.returncode, 0, done.stdout)
        said = " ".join(done.stdout.split())
        self.assertIn("footage stayed in the gateway's own store", said)
        self.assertIn("what a next hop did with footage", said)
        self.assertNotIn("ended by a crash", said)  # nothing had gone anywhere
        # A day of which it says nothing.
        ask = [VERIFY, "residency", self.root / "custody", "--key", keys]
        done = run(*ask, "--from", "2001-01-01", "--to", "2001-01-02")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("there is a gap", " ".join(done.stdout.split()))
        # All of it, or nothing.
        done = run(VERIFY, "residency", self.root / "pki", "--key", keys)
        self.assertEqual(done.returncode, 3, done.stdout)
        done = run(*ask, "--allow", "store.police.example")
        self.assertEqual(done.returncode, 2, done.stdout)

    def test_what_is_exported_verifies_alone(self) -> None:
        out = self.root / "out"
        must(VERIFY, "export", self.root / "custody", "--out", out)
        keys = self.root / "custody/keys.pub"
        must(VERIFY, "statements", out, "--key", keys)
        one = sorted(out.glob("*/*.json"))[20]
        before = one.read_bytes()
        flip(one, 30)
        self.assertEqual(run(VERIFY, "statements", out, "--key", keys).returncode, 1)
        one.write_bytes(before)
        one.unlink()
        self.assertEqual(run(VERIFY, "statements", out, "--key", keys).returncode, 1)


    def test_the_common_tools_of_the_page_for_lawyers(self) -> None:
        bundle = sorted((self.root / "store").glob("*/*"))[9]
        with tempfile.TemporaryDirectory(dir=self.root) as scratch:
            work = Path(scratch)
            for name in ("recording.mp4", "statement.json", "receipt.tlog-proof"):
                shutil.copy(bundle / name, work)
            shutil.copy(self.root / "custody/keys.pub", work)
            said = [shell(command, work) for command in commands_of_the_page()]
        file_hash, stated, leaf, *rest = said
        self.assertEqual(file_hash.split()[0], stated.split('"')[3])
        self.assertIn("Signature Verified Successfully", "".join(rest))
        self.assertIn("Verified OK", "".join(rest))
        # Upwards, as the page says, by openssl alone.
        receipt = (bundle / "receipt.tlog-proof").read_text().split("\n")
        end = receipt.index("")
        n = int(receipt[1].removeprefix("index "))
        m, root = int(receipt[end + 2]) - 1, receipt[end + 3]
        h = bytes.fromhex(leaf.split()[0])
        for line in receipt[2:end]:
            p = base64.b64decode(line)
            if n % 2 == 1 or n == m:
                h = openssl_sha256(b"\x01" + p + h)
                while n % 2 == 0 and n > 0:
                    n, m = n // 2, m // 2
            else:
                h = openssl_sha256(b"\x01" + h + p)
            n, m = n // 2, m // 2
        self.assertEqual((m, base64.b64encode(h).decode()), (0, root))


# --- by hand ------------------------------------------------------------------


def commands_of_the_page() -> list[str]:
    """Those that it prints for a bundle, one line each, in order."""
    page = Path("docs/evidence.md").read_text()
    page = page[page.index("## How to check it with common tools") :]
    lines = [line[4:] for line in page.split("\n") if line.startswith("    ")]
    return [line for line in lines if "cat P H" not in line]


def shell(command: str, directory: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command}\n{done.stderr}")
    return done.stdout


def openssl_sha256(data: bytes) -> bytes:
    return subprocess.run(
        ["openssl", "dgst", "-sha256", "-binary"],
        input=data,
        capture_output=True,
        check=True,
    ).stdout


# --- damaging ----------------------------------------------------------------


def newest(log: Path, pattern: str) -> Path:
    """Of partial tiles the one that the checkpoint speaks of."""
    found = sorted(log.glob(pattern), key=lambda p: (p.stat().st_size, p.name))
    return found[-1]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    at = min(at, len(data) - 1)
    data[at] ^= 1
    path.write_bytes(data)


def rewrite(
    log: Path, bundle: int, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    """Another full bundle of entries, with the tiles above it left as they are."""
    path = log / f"tile/entries/{bundle:03}"
    data, entries = path.read_bytes(), []
    while data:
        length = int.from_bytes(data[:2], "big")
        entries.append(data[2 : 2 + length])
        data = data[2 + length :]
    changed = change(entries)
    path.write_bytes(b"".join(len(e).to_bytes(2, "big") + e for e in changed))


if __name__ == "__main__":
    unittest.main()
