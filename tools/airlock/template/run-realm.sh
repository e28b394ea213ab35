#!/bin/sh
# Boots an Airlock image as a realm by lkvm, and says what is missing if it cannot.
# Usage: run-realm.sh IMAGE [WORDS FOR LKVM…]     LKVM=path selects one.
set -eu

fail() {
    printf 'run-realm: %s\n' "$@" >&2
    exit 1
}

[ $# -ge 1 ] || fail 'which image? run-realm.sh IMAGE [words for lkvm]'
image=$1
shift
lkvm=${LKVM:-lkvm}

[ -f "$image" ] || fail "there is no file $image"
# The header of an arm64 image has this text at byte 56.
magic=$(dd if="$image" bs=1 skip=56 count=3 2>/dev/null)
[ "$magic" = ARM ] || fail "$image is no arm64 image; an ELF file does not boot, take NAME.img"
case $(uname -m) in
    aarch64 | arm64) ;;
    *) fail "this machine is $(uname -m): realms need an Arm host with CCA, or a model of one." \
        'In QEMU, as an ordinary machine: see README.md' ;;
esac
command -v "$lkvm" >/dev/null || fail 'there is no lkvm; build kvmtool with its realm patches, or give LKVM=path'
"$lkvm" run --help 2>&1 | grep -q -e '--realm' ||
    fail "this lkvm cannot make realms: $lkvm run --help knows no --realm. It needs the CCA branch of kvmtool"
[ -e /dev/kvm ] || fail 'there is no /dev/kvm: a kernel without KVM, or this is a guest itself'
[ -r /dev/kvm ] && [ -w /dev/kvm ] || fail '/dev/kvm is not yours: be root, or join its group'
if log=$(dmesg 2>/dev/null); then
    case $log in
        *RMI* | *RME* | *[Rr]ealm*) ;;
        *) printf 'run-realm: %s\n' 'the kernel log names no RMM; if lkvm fails now, firmware or kernel lack CCA' >&2 ;;
    esac
fi

exec "$lkvm" run --realm -c 1 -m 256 --irqchip=gicv3 --nodefaults -k "$image" "$@"
