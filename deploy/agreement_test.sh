#!/bin/bash
# Debian's Python, whatever else lies on the path.
set -euo pipefail
exec /usr/bin/python3 -B deploy/agreement_test.py -v
