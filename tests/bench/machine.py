"""On what it was measured, and with which programs."""

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any


def machine_facts(directory: Path) -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": processor(),
        "kernel": platform.release(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "file_system": said(["stat", "-f", "-c", "%T", str(directory)]),
        "programs": {
            "nginx": said(["/usr/sbin/nginx", "-v"]),
            "ssh": said(["ssh", "-V"]),
            "curl": said(["curl", "--version"]),
            "openssl": said(["openssl", "version"]),
        },
    }


def processor() -> str:
    with open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return "unknown"


def said(words: list[str]) -> str:
    """The first line that a program prints."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10)
    except OSError as error:
        return f"missing ({error.strerror})"
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


def free_bytes(directory: Path) -> int:
    return shutil.disk_usage(directory).free
