#!/bin/bash
# Debian's Python, whatever else lies on the path.
set -euo pipefail
exec /usr/bin/python3 -B tests/custody/independent_test.py -v
