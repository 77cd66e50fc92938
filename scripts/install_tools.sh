#!/bin/sh
# Install what the firmware and AArch64 tests need (cross compilers, emulators) where this user can; otherwise say what is missing.
set -u

missing=""
command -v arm-none-eabi-gcc >/dev/null 2>&1 || missing=" gcc-arm-none-eabi"
[ -f "$(arm-none-eabi-gcc -print-file-name=libc.a 2>/dev/null)" ] || missing="$missing libnewlib-arm-none-eabi"
command -v qemu-system-arm >/dev/null 2>&1 || missing="$missing qemu-system-arm"
command -v aarch64-linux-gnu-gcc >/dev/null 2>&1 || missing="$missing gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
command -v qemu-aarch64 >/dev/null 2>&1 || missing="$missing qemu-user"
[ -n "$missing" ] || exit 0

if command -v apt-get >/dev/null 2>&1; then
    run=""
    [ "$(id -u)" = 0 ] || run="sudo -n"
    if [ -z "$run" ] || $run true 2>/dev/null; then
        echo "installing:$missing"
        if $run apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive \
            $run apt-get install -y -q --no-install-recommends $missing >/dev/null; then
            exit 0
        fi
    fi
fi
echo "not installed:$missing"
echo "tests that need them will be skipped; install them with: sudo apt-get install --no-install-recommends $missing"
