#!/bin/bash
# What should be found is found, and nothing else.
set -euo pipefail
secrets=$PWD/tests/repository/secrets
cd "$TEST_TMPDIR"

# expect FOUND|CLEAN NAME: of a directory with the one file NAME, made by
# standard input. Then the file goes.
expect() {
  local result=CLEAN
  mkdir -p house/"$(dirname "$2")"
  cat >"house/$2"
  "$secrets" house >said || result=FOUND
  if [[ $result != "$1" ]]; then
    echo "$2: expected $1, was $result" >&2
    cat said >&2
    exit 1
  fi
  [[ $1 == CLEAN ]] || grep -q "^\(\./\)\?$2: " said
  rm -r house
}

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 "$@"; }

key 2>/dev/null | expect FOUND a/pkcs8.pem
key 2>/dev/null | sed 's/^/    /' | expect FOUND indented.txt
key -aes-128-cbc -pass pass:x 2>/dev/null | expect FOUND encrypted.pem
key 2>/dev/null | openssl ec 2>/dev/null | expect FOUND sec1.pem
openssl genrsa -traditional 2048 2>/dev/null | expect FOUND rsa.pem
openssl genpkey -algorithm ED25519 | expect FOUND ed25519.pem
{ head -c 100 /dev/zero && key 2>/dev/null; } | expect FOUND in_a_binary.bin
key -outform DER 2>/dev/null | expect FOUND pkcs8.der
key 2>/dev/null | openssl ec -outform DER 2>/dev/null | expect FOUND sec1.bin
openssl genrsa -traditional 2048 2>/dev/null |
  openssl rsa -traditional -outform DER 2>/dev/null | expect FOUND rsa.der
printf -- '-----BEGIN OPENSSH PRIVATE'' KEY-----\n' | expect FOUND id
printf 'openssh-key''-v1\0' | expect FOUND id.bin
for name in dock.key DOCK.KEY deep/er/x.p12 x.pfx x.jks x.pk8; do
  echo nothing | expect FOUND "$name"
done
printf 'see /home''/somebody/x\n' | expect FOUND README.md
printf 'cache=/ro''ot/.cache\n' | expect FOUND script

key 2>/dev/null | openssl pkey -pubout | expect CLEAN public.pem
key 2>/dev/null | openssl pkey -pubout -outform DER | expect CLEAN public.der
echo 'cert.key and "/var/home/" and https://x.example/home/' | expect CLEAN a.md
echo '-----BEGIN CERTIFICATE-----' | expect CLEAN root.pem

mkdir empty
if "$secrets" empty >said; then
  echo "an empty directory passed" >&2
  exit 1
fi
