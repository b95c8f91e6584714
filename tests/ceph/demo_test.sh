#!/bin/bash
# The demo proves what it says with a real Ceph as the store.
set -euo pipefail
tests/demo/demo --store s3 --ceph tests/ceph/ceph \
  --gateway gateway/schleuse-gateway --upload client/upload/schleuse-upload \
  --verify client/verify/schleuse-verify --certs certs/schleuse-certs \
  --footage tests/footage --dir "$TEST_TMPDIR/demo" --big-mib 256 |
  tee "$TEST_TMPDIR/said"
grep -q '^   It went on from ' "$TEST_TMPDIR/said"
[[ $(tail -n 1 "$TEST_TMPDIR/said") =~ \
  ^demo:\ ([0-9]+)\ recordings\ stored,\ ([0-9]+)\ identical$ ]]
[[ ${BASH_REMATCH[1]} -ge 5 && ${BASH_REMATCH[1]} -eq ${BASH_REMATCH[2]} ]]
rm -r "$TEST_TMPDIR/demo"
