#!/bin/bash
# Every micro-benchmark runs and none reports an error.
set -euo pipefail
tests/bench/micro/micro --benchmark_min_time=0 --benchmark_format=csv \
  --benchmark_out="$TEST_TMPDIR/out.csv" --benchmark_out_format=csv
for name in Crc32cOfChunk Sha256OfChunk ParseChunk ParseBegin AppendRecords ReadRecords; do
  grep -q "^\"$name" "$TEST_TMPDIR/out.csv" || {
    echo "$name did not run" >&2
    exit 1
  }
done
# The last but one column says whether an error occurred.
if grep -E ',true,' "$TEST_TMPDIR/out.csv"; then
  exit 1
fi
