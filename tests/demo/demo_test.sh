#!/bin/bash
# The demo proves what it says, on a smaller recording.
set -euo pipefail
tests/demo/demo --gateway gateway/schleuse-gateway \
  --upload client/upload/schleuse-upload \
  --verify client/verify/schleuse-verify --certs certs/schleuse-certs \
  --footage tests/footage --dir "$TEST_TMPDIR/demo" --big-mib 256 |
  tee "$TEST_TMPDIR/said"
grep -q '^   It went on from ' "$TEST_TMPDIR/said"
grep -q '^   .*: NOT PROVEN$' "$TEST_TMPDIR/said"
grep -q '^   The custody log: custody: PROVEN$' "$TEST_TMPDIR/said"
[[ -s $TEST_TMPDIR/demo/custody/keys.pub ]]
[[ $(find "$TEST_TMPDIR/demo/store" -name receipt.tlog-proof | wc -l) -ge 5 ]]
[[ $(tail -n 1 "$TEST_TMPDIR/said") =~ \
  ^demo:\ ([0-9]+)\ recordings\ stored,\ ([0-9]+)\ identical$ ]]
[[ ${BASH_REMATCH[1]} -ge 5 && ${BASH_REMATCH[1]} -eq ${BASH_REMATCH[2]} ]]
[[ -z $(find "$TEST_TMPDIR/demo/spool" -name '*.bytes') ]]
rm -r "$TEST_TMPDIR/demo"
