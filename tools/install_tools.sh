#!/bin/sh
# What some tests need and is not there: cross compilers and emulators (firmware, AArch64), clang with its sanitizers, SIMDe (emulated AVX-512).
# Installed with apt where that is wanted, named where not; the tests that need it are then skipped.
#   install_tools.sh        on a terminal: asks; with CI=true or STEPFORWARD_TOOLS=install: installs; otherwise: says what is skipped
#   install_tools.sh --yes  installs (make tools)
set -u

missing=""
command -v arm-none-eabi-gcc >/dev/null 2>&1 || missing=" gcc-arm-none-eabi"
[ -f "$(arm-none-eabi-gcc -print-file-name=libc.a 2>/dev/null)" ] || missing="$missing libnewlib-arm-none-eabi"
command -v qemu-system-arm >/dev/null 2>&1 || missing="$missing qemu-system-arm"
command -v aarch64-linux-gnu-gcc >/dev/null 2>&1 || missing="$missing gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
command -v qemu-aarch64 >/dev/null 2>&1 || missing="$missing qemu-user"
if ! echo 'int main(void) { return 0; }' | clang -fsanitize=address,undefined -x c - -o /dev/null 2>/dev/null; then
    version=$(clang -dumpversion 2>/dev/null | cut -d. -f1)
    missing="$missing clang libclang-rt-${version:+$version-}dev"
fi
[ "$(uname -m)" != x86_64 ] || [ -d /usr/include/simde ] || missing="$missing libsimde-dev"
[ -n "$missing" ] || exit 0

skip() {
    echo "tools ... $1; their tests are skipped. Not installed:$missing"
    exit 0
}

command -v apt-get >/dev/null 2>&1 || skip "compilers and emulators are missing, and so is apt-get"
wanted=no
[ "${1:-}" = --yes ] || [ "${CI:-}" = true ] || [ "${STEPFORWARD_TOOLS:-}" = install ] && wanted=yes
if [ $wanted = no ] && [ "${STEPFORWARD_TOOLS:-ask}" = ask ] && [ -t 0 ] && [ -t 1 ]; then
    echo "Tests of the firmware, of AArch64, with clang or with emulated AVX-512 need these packages:$missing"
    printf 'Install them with apt-get? Without them these tests are skipped. [y/N] '
    read -r answer || answer=""
    case $answer in [yY]*) wanted=yes ;; esac
fi
[ $wanted = yes ] || skip "compilers and emulators are missing (make tools installs them)"

sudo=""
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    [ -t 0 ] || sudo="sudo -n"
    $sudo true 2>/dev/null || skip "installing needs root, and sudo does not give it"
fi
mkdir -p build/logs
log=build/logs/tools.log
echo "tools ... installing:$missing"
updated=no
$sudo apt-get update -q >"$log" 2>&1 && updated=yes
for package in $missing; do # older systems have clang's sanitizers in a package that clang depends on
    case $package in libclang-rt-*) apt-cache show "$package" >/dev/null 2>&1 || missing=$(echo "$missing" | sed "s/ $package//") ;; esac
done
if [ $updated = yes ] && $sudo env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends $missing >>"$log" 2>&1; then
    exit 0
fi
tail -5 "$log"
skip "apt-get failed ($log)"
