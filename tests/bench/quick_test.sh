#!/bin/bash
# `./dev bench --quick`: fails if a peer is missing or fails, or if other bytes
# arrived than were sent.
set -euo pipefail
out=$TEST_TMPDIR/out
mkdir "$out"
/usr/bin/python3 -B tests/bench/bench.py --bin . --certs certs/schleuse-certs \
  --dir "$TEST_TMPDIR" --quick --json "$out/bench.json" \
  --markdown "$out/bench.md" --svg "$out/scale.svg"

# The benchmark's own word for it is not enough: each peer has its figure.
/usr/bin/python3 -B - "$out/bench.json" <<'END'
import json, sys
bench = json.load(open(sys.argv[1]))
peers = {"product", "grpc_sink", "tls_sink", "nginx", "nginx_hashed", "sftp", "disk"}
measured = {(r["scenario"], r["peer"]) for r in bench["results"] if r["medians"]}
wanted = {(s, p) for s in ("A1", "A4", "B", "C") for p in peers}
wanted.add(("B", "product_without_receipts"))
assert measured == wanted, wanted ^ measured
assert [step["streams"] for step in bench["scale"]] == [1, 16]
assert all("ratio" in key for key in bench["ratios"]) and bench["ratios"]
END
grep -q '^| product |' "$out/bench.md"
grep -q '</svg>' "$out/scale.svg"

# Nothing of what it made is left.
[[ -z $(find "$TEST_TMPDIR" -name 'schleuse-bench-*') ]]
