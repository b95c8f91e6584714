"""Certificates for a run, issued by the product's own development PKI."""

from pathlib import Path

from processes import run_tool


class Pki:
    def __init__(self, tool: Path, directory: Path) -> None:
        self._tool = str(tool)
        self.directory = directory
        self._log = directory.parent / "pki.log"
        self.root = directory / "root.pem"
        self._run("init", str(directory))
        self.server = self._issue(
            "gateway", "gw1", "--dns", "localhost", "--ip", "127.0.0.1"
        )

    def device(self, number: int) -> Path:
        """The certificate of a dock, issued when it is first asked for."""
        path = self.directory / f"dock-bench-d{number}.pem"
        if path.exists():
            return path
        return self._issue("dock", f"d{number}", "--station", "bench")

    def _issue(self, role: str, name: str, *options: str) -> Path:
        self._run("issue", str(self.directory), role, name, *options)
        station = "bench" if "--station" in options else "hq"
        return self.directory / f"{role}-{station}-{name}.pem"

    def _run(self, *words: str) -> None:
        run_tool([self._tool, *words], self._log)


def key_of(certificate: Path) -> Path:
    return certificate.with_suffix(".key")
