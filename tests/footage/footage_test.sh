#!/bin/bash
# The clips are those that README.md describes.
set -euo pipefail
cd tests/footage
listed=$(sed -n 's/^    \([0-9a-f]\{64\}  .*\)/\1/p' README.md)
[[ $(wc -l <<<"$listed") -eq $(find -L . -name '*.mp4' | wc -l) ]]
sha256sum --check --strict <<<"$listed"
