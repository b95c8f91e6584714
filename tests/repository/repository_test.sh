#!/bin/bash
# No file of the repository is a private key or speaks of a home directory.
# Bazel gives this test a link to a file in the repository.
set -euo pipefail
top=$(readlink -f tests/repository/BUILD.bazel)
top=${top%/tests/repository/BUILD.bazel}
[[ $(find "$top/gateway" "$top/client" -name '*.cc' | wc -l) -gt 50 ]]
tests/repository/secrets "$top"
