#!/bin/bash
# Debian's Python, whatever else lies on the path.
set -euo pipefail
exec /usr/bin/python3 -B tests/bench/bench_test.py -v
