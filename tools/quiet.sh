#!/bin/sh
# quiet.sh NAME COMMAND...   Run a command with its output in build/logs/NAME.log; one line says how it went, a failure shows the log.
set -u
name=$1
shift
mkdir -p build/logs
log=build/logs/$name.log
printf '%s ... ' "$name"
started=$(date +%s)
if "$@" >"$log" 2>&1 </dev/null; then
    echo "ok ($(($(date +%s) - started)) s)"
    grep -h 'skipped, ' "$log" || true # what a missing compiler leaves out
else
    code=$?
    echo "failed (exit code $code):"
    cat "$log"
    echo "$name failed; this was $log"
    exit "$code"
fi
