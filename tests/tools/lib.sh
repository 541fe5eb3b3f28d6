# SPDX-License-Identifier: BSD-3-Clause
#
# What the tests of the tools share; they are run by tests/tools/run, each in
# an empty folder. Every check is one line: PASS or FAIL and its name.
#
#   HALVM, CC, GHC, CONFIG   the tools under test
#   HERE                     tests/tools
#   out, err, status         of the last run()

name=$(basename "$0" .sh)
failed=0

pass() {
    echo "PASS $name: $1"
}

fail() { # WHAT, WHY
    echo "FAIL $name: $1 ($(printf '%s' "$2" | tr '\n' ' ' | cut -c 1-300))"
    failed=1
}

skip() { # WHAT, WHY
    echo "SKIP $name: $1 ($2)"
}

# soon COMMAND...: waits until it succeeds, ten seconds at most.
soon() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || return 1
        sleep 0.1
    done
}

# listens PORT: whether somebody listens on it, over IPv4.
listens() {
    grep -q ":$(printf %04X "$1") [0-9A-F:]* 0A " /proc/net/tcp
}

# Runs a command; its words and status are then in out, err and status.
run() {
    "$@" >out.txt 2>err.txt </dev/null
    status=$?
    out=$(cat out.txt)
    err=$(cat err.txt)
}

# check WHAT CONDITION...: a test(1) condition.
check() {
    what=$1
    shift
    if [ "$@" ]; then
        pass "$what"
    else
        fail "$what" "not: $* [status $status; $err]"
    fi
}

# has WHAT TEXT PATTERN: a basic regular expression in a text.
has() {
    if printf '%s\n' "$2" | grep -q -e "$3"; then
        pass "$1"
    else
        fail "$1" "no $3 in: $2"
    fi
}

hasnt() {
    if printf '%s\n' "$2" | grep -q -e "$3"; then
        fail "$1" "$3 in: $2"
    else
        pass "$1"
    fi
}

# An error is three lines: what, why, fix. three WHAT STATUS, after run.
three() {
    if [ "$status" -ne "$2" ]; then
        fail "$1" "status $status, not $2; $err"
    elif ! printf '%s\n' "$err" | tail -n 3 | awk '
        NR == 1 && !/^[a-z+-]*: error: ./ { bad = 1 }
        NR == 2 && !/^  why: ./ { bad = 1 }
        NR == 3 && !/^  fix: ./ { bad = 1 }
        END { exit bad || NR != 3 }'; then
        fail "$1" "not three lines: $err"
    else
        pass "$1"
    fi
}
