#!/bin/bash
# Asks openssl, not ourselves, whether what schleuse-certs makes is as promised.
set -uo pipefail

tool=$PWD/certs/schleuse-certs
pki=$TEST_TMPDIR/pki
failures=0

failed() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}
succeeds() {
  local output
  output=$("$@" 2>&1) || failed "should succeed: $* -- said: $output"
}
# refuses WORDS COMMAND...: it fails and its message has WORDS.
refuses() {
  local words=$1 output
  shift
  if output=$("$@" 2>&1); then
    failed "should be refused: $*"
  elif [[ $output != *"$words"* ]]; then
    failed "should say \"$words\": $* -- said: $output"
  fi
}
# says FILE WORDS: openssl's text of the certificate has WORDS.
says() {
  local text
  text=$(openssl x509 -in "$1" -noout -text | tr -s ' \n' ' ')
  [[ $text == *"$2"* ]] || failed "$1 should say \"$2\""
}
verifies() {
  local leaf=$1 ca=$2 purpose=$3
  succeeds openssl verify -x509_strict -crl_check_all -purpose "$purpose" \
    -CAfile "$pki/root.pem" -untrusted "$pki/ca-$ca.pem" \
    -CRLfile "$pki/crl-$ca.pem" -CRLfile "$pki/crl-root.pem" "$leaf"
}

succeeds "$tool" init "$pki"
before=$(sha256sum "$pki"/*.pem "$pki"/*.key)
refuses "is not empty" "$tool" init "$pki"
[[ $(sha256sum "$pki"/*.pem "$pki"/*.key) == "$before" ]] ||
  failed "a refused init changed something"
for ca in devices people gateway; do
  says "$pki/ca-$ca.pem" "Basic Constraints: critical CA:TRUE, pathlen:0"
  says "$pki/ca-$ca.pem" "Key Usage: critical Certificate Sign, CRL Sign"
  succeeds openssl crl -in "$pki/crl-$ca.pem" -CAfile "$pki/ca-$ca.pem" -noout
done

# Every role's leaf: exact name, chain, profile.
for role in dock radio operator auditor monitor witness gateway; do
  case $role in
    dock | radio) ca=devices ;;
    gateway) ca=gateway ;;
    *) ca=people ;;
  esac
  path=$("$tool" issue "$pki" "$role" n-1 --station st-1)
  [[ $path == "$pki/$role-st-1-n-1.pem" ]] || failed "issue $role printed $path"
  verifies "$path" "$ca" sslclient
  says "$path" "Key Usage: critical Digital Signature X509v3"
  says "$path" "Basic Constraints: critical CA:FALSE"
  says "$path" "NIST CURVE: P-256"
  says "$path" "Full Name: URI:http://crl.police.example/$ca.crl"
  names=$(openssl x509 -in "$path" -noout -ext subjectAltName | tail -n +2)
  [[ $names =~ ^\ *URI:spiffe://police.example/$role/st-1/n-1$ ]] ||
    failed "$role's names are $names"
  [[ $(grep -c "BEGIN CERTIFICATE" "$path") == 2 ]] ||
    failed "$path should hold the leaf and its CA"
  [[ $(openssl x509 -in "$path" -noout -pubkey) == \
    $(openssl pkey -in "${path%.pem}.key" -pubout) ]] ||
    failed "$path and its key differ"
  if [[ $role == gateway || $role == witness ]]; then
    verifies "$path" "$ca" sslserver
  else
    refuses "unsuitable certificate purpose" openssl verify -purpose sslserver \
      -CAfile "$pki/root.pem" -untrusted "$pki/ca-$ca.pem" "$path"
  fi
done
for key in "$pki"/*.key; do
  [[ $(stat -c %a "$key") == 600 ]] || failed "$key is not mode 0600"
done
# TR-03116-4: at most three years, the CAs too.
latest=$(date -u -d "+1095 days 1 minute" +%s)
for pem in "$pki"/{root,ca-*,*-st-1-*}.pem; do
  end=$(date -u -d "$(openssl x509 -in "$pem" -noout -enddate | cut -d= -f2)" +%s)
  ((end <= latest)) || failed "$pem is valid for over three years"
done

# Addresses stand beside the one SPIFFE ID.
succeeds "$tool" issue "$pki" gateway g2 --dns gw.police.example --ip 10.0.0.5
says "$pki/gateway-hq-g2.pem" "Subject Alternative Name: \
URI:spiffe://police.example/gateway/hq/g2, DNS:gw.police.example, IP Address:10.0.0.5"

# What is asked for wrongly.
refuses "nothing is overwritten" "$tool" issue "$pki" dock n-1 --station st-1
refuses "unknown role" "$tool" issue "$pki" doc d1
refuses "must match" "$tool" issue "$pki" dock D1
refuses "must match" "$tool" issue "$pki" dock ../d1
refuses "must match" "$tool" issue "$pki" dock d1 --station a/b
refuses "1 to 1095" "$tool" issue "$pki" dock d1 --days 1096
refuses "1 to 1095" "$tool" issue "$pki" dock d1 --days 0
refuses "over 3 years" "$tool" issue "$pki" dock d1 --not-after "4 years"
refuses "ends before" "$tool" issue "$pki" dock d1 --not-after "1 day ago"
refuses "no DNS name" "$tool" issue "$pki" gateway g3 --dns "*.police.example"
refuses "needs a value" "$tool" issue "$pki" dock d1 --station
refuses "unknown option" "$tool" issue "$pki" dock d1 --force
refuses "unknown CA" "$tool" issue "$pki" dock d1 --ca root
refuses "holds no PKI" "$tool" issue "$TEST_TMPDIR/none" dock d1
refuses "unknown command" "$tool" destroy "$pki"
refuses "trust domain" "$tool" init "$TEST_TMPDIR/other" --trust-domain a_b
[[ ! -e $pki/dock-hq-d1.pem && ! -e $pki/dock-hq-d1.key ]] ||
  failed "a refused issue left files"
compgen -G "$pki/*.new*" >/dev/null && failed "something unfinished lies in $pki"
succeeds "$tool" --help

# What tests of the gateway need: each is wrong in one way.
succeeds "$tool" issue "$pki" dock old --not-before "3 days ago" --not-after "1 day ago"
refuses "has expired" openssl verify -CAfile "$pki/root.pem" \
  -untrusted "$pki/ca-devices.pem" "$pki/dock-hq-old.pem"
succeeds "$tool" issue "$pki" dock early --not-before "1 day"
refuses "not yet valid" openssl verify -CAfile "$pki/root.pem" \
  -untrusted "$pki/ca-devices.pem" "$pki/dock-hq-early.pem"
succeeds "$tool" issue "$pki" dock other --ca people
says "$pki/dock-hq-other.pem" "Issuer: O = Schleuse development PKI, CN = Issuing CA people"
succeeds "$tool" issue "$pki" dock two --uri spiffe://a/b --uri spiffe://c/d
says "$pki/dock-hq-two.pem" "URI:spiffe://a/b, URI:spiffe://c/d"
succeeds "$tool" issue "$pki" dock none --no-uri
openssl x509 -in "$pki/dock-hq-none.pem" -noout -text | grep -q "URI:spiffe" &&
  failed "--no-uri has a SPIFFE ID"

# Revocation.
leaf=$pki/dock-st-1-n-1.pem
verifies "$leaf" devices sslclient
succeeds "$tool" revoke "$pki" "$leaf"
refuses "certificate revoked" openssl verify -crl_check \
  -CAfile "$pki/root.pem" -untrusted "$pki/ca-devices.pem" \
  -CRLfile "$pki/crl-devices.pem" "$leaf"
refuses "revoked already" "$tool" revoke "$pki" "$leaf"
verifies "$pki/radio-st-1-n-1.pem" devices sslclient
succeeds "$tool" crl "$pki" --days 3
refuses "certificate revoked" openssl verify -crl_check \
  -CAfile "$pki/root.pem" -untrusted "$pki/ca-devices.pem" \
  -CRLfile "$pki/crl-devices.pem" "$leaf"
next=$(openssl crl -in "$pki/crl-devices.pem" -noout -nextupdate | cut -d= -f2)
due=$(($(date -u -d "$next" +%s) - $(date -u +%s)))
((due > 2 * 86400 && due <= 3 * 86400)) || failed "the next list is due in $due s"
succeeds "$tool" init "$TEST_TMPDIR/stranger" --trust-domain stranger.example
succeeds "$tool" issue "$TEST_TMPDIR/stranger" dock d1
refuses "issued by no CA" "$tool" revoke "$pki" "$TEST_TMPDIR/stranger/dock-hq-d1.pem"
succeeds "$tool" show "$leaf"
succeeds "$tool" show "$pki/crl-devices.pem"

((failures == 0)) || { echo "$failures checks failed"; exit 1; }
echo "all checks passed"
