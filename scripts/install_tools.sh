#!/bin/sh
# What the firmware and AArch64 tests need (cross compilers, emulators) and is not there: installed with apt where that is wanted, named where not.
#   install_tools.sh        on a terminal: asks; with CI=true or STEPFORWARD_TOOLS=install: installs; otherwise: says what is skipped
#   install_tools.sh --yes  installs (make tools)
set -u

missing=""
command -v arm-none-eabi-gcc >/dev/null 2>&1 || missing=" gcc-arm-none-eabi"
[ -f "$(arm-none-eabi-gcc -print-file-name=libc.a 2>/dev/null)" ] || missing="$missing libnewlib-arm-none-eabi"
command -v qemu-system-arm >/dev/null 2>&1 || missing="$missing qemu-system-arm"
command -v aarch64-linux-gnu-gcc >/dev/null 2>&1 || missing="$missing gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
command -v qemu-aarch64 >/dev/null 2>&1 || missing="$missing qemu-user"
[ -n "$missing" ] || exit 0

skip() {
    echo "tools ... $1; their tests are skipped. Not installed:$missing"
    exit 0
}

command -v apt-get >/dev/null 2>&1 || skip "cross compilers and emulators are missing, and so is apt-get"
wanted=no
[ "${1:-}" = --yes ] || [ "${CI:-}" = true ] || [ "${STEPFORWARD_TOOLS:-}" = install ] && wanted=yes
if [ $wanted = no ] && [ "${STEPFORWARD_TOOLS:-ask}" = ask ] && [ -t 0 ] && [ -t 1 ]; then
    echo "The tests of the firmware and of AArch64 need these packages:$missing"
    printf 'Install them with apt-get? Without them these tests are skipped. [y/N] '
    read -r answer || answer=""
    case $answer in [yY]*) wanted=yes ;; esac
fi
[ $wanted = yes ] || skip "cross compilers and emulators are missing (make tools installs them)"

sudo=""
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    [ -t 0 ] || sudo="sudo -n"
    $sudo true 2>/dev/null || skip "installing needs root, and sudo does not give it"
fi
mkdir -p build/logs
log=build/logs/tools.log
echo "tools ... installing:$missing"
if $sudo apt-get update -q >"$log" 2>&1 && $sudo env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends $missing >>"$log" 2>&1; then
    exit 0
fi
tail -5 "$log"
skip "apt-get failed ($log)"
