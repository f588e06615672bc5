#!/bin/sh
# Runs the tests of this kit on this machine and writes a proof bundle. Needs a shell, tar, gzip, sed, coreutils, a glibc that is
# new enough and, for a GPU, the NVIDIA driver; no Rust, no git, no network.
set -eu

usage() {
    cat <<'END'
Runs the tests of this kit on this machine and writes a proof bundle, as `cargo xtask proof` does where Rust is.

Usage: ./prove [OPTIONS]

  --device DEVICE   auto (default), simulated, cuda or cuda:N
  --key FILE        sign the bundle with this Ed25519 key (bin/xtask keygen FILE makes one)
  --model FILE      seal, verify, corrupt and release this model, too; may be given several times
  --nonce TEXT      an auditor's challenge, recorded in the bundle
  --out DIR         where bundles go; default: proof_bundles in the kit
  --timeout SECONDS, --seed N, --type TYPE, --model-signing-key FILE, --json: bin/xtask proof --help explains them

The kit's files are checked first: a kit that was changed proves nothing. Tests that need cargo, git or readelf, and the doc
tests, are reported as not run. The last line of stdout is the bundle; look at its report.html, and check it with
`bin/xtask verify BUNDLE --public-key FILE`. Exit codes are those of `cargo xtask proof`; 12: the kit cannot run here.
END
}

refuse() {
    echo "error: $*" >&2
    exit 12
}

for argument in "$@"; do
    case $argument in
    -h | --help)
        usage
        exit 0
        ;;
    esac
done

case $0 in
*/*) here=${0%/*} ;;
*) here=. ;;
esac
kit=$(CDPATH='' cd -- "$here" && pwd -P)

# A member of kit.json that is a string on a line of its own.
said() {
    sed -n "s/^  \"$1\": \"\\(.*\\)\",\$/\\1/p" "$kit/kit.json"
}

# Checks the files of the list that this sed command selects.
check() {
    sums=$(cd "$kit" && sed -n "$1" SHA256SUMS | LC_ALL=C sha256sum -c - 2>&1) || {
        changed=$(printf '%s\n' "$sums" | sed -n '/: FAILED/p' | head -n 1)
        refuse "the kit is not intact: ${changed:-$sums}; unpack the archive again, into a new directory"
    }
}

check '/  tests\//!p'

arch=$(uname -m)
[ "$arch" = "$(said arch)" ] || refuse "this kit was built for $(said arch), and this machine is $arch: pack one there"

needed=$(said needs_glibc)
found=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc \([0-9.]*\).*/\1/p') || found=
[ -n "$found" ] || found=$(ldd --version 2>/dev/null | sed -n '1s/.* \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p') || found=
[ -n "$found" ] || refuse "no glibc was found here (is this musl?): this kit needs glibc $needed or newer"
minor() {
    rest=${1#*.}
    echo "${rest%%.*}"
}
if [ "${found%%.*}" -lt "${needed%%.*}" ] ||
    { [ "${found%%.*}" -eq "${needed%%.*}" ] && [ "$(minor "$found")" -lt "$(minor "$needed")" ]; }; then
    refuse "this machine has glibc $found, and the kit needs $needed or newer: pack it on a system as old as this one"
fi

if [ -e "$kit/tests.tar.zst" ]; then
    "$kit/bin/xtask" inflate <"$kit/tests.tar.zst" | tar -xf - -C "$kit" || refuse "the tests cannot be unpacked: see above"
fi
check '/  tests\//p'
rm -f "$kit/tests.tar.zst"

exec "$kit/bin/xtask" proof --kit "$kit" "$@"
