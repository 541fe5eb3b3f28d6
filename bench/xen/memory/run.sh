# SPDX-License-Identifier: BSD-3-Clause
# bench/run xen_memory, in dom0: the least memory= with which a program works,
# bisected. A line "LEAST PROGRAM KIND MIB" each.
#
# files: build/bench/hello build/bench/hello-hs build/bench/hello-hs-threaded
# files: build/bench/httpd build/bench/web bench/xen/guest.cfg
# timeout: 900
. /lib/lib.sh

# decided NAME WORDS: it has said them, or is gone.
decided()
{
    grep -aqF -- "$2" "$(console "$1")" || gone "$1"
}

# works PROGRAM KIND MIB WORDS
works()
{
    name=$1-$2-$3
    xl create guest.cfg "name=\"$name\"" "type=\"$2\"" "memory=$3" \
        "kernel=\"/test/$1\"" 'extra="halvm.ip=10.0.2.50/24"' \
        'on_crash="destroy"' >>/out/create.log 2>&1 || return 1
    until_ok 20 decided "$name" "$4"
    xl destroy "$name" 2>/dev/null
    wait_gone "$name"
    grep -aqF -- "$4" "$(console "$name")"
}

# least PROGRAM HIGH WORDS
least()
{
    for kind in pv pvh; do
        low=0 high=$2
        while [ $((high - low)) -gt 1 ]; do
            middle=$(((low + high) / 2))
            if works "$1" $kind $middle "$3"; then
                high=$middle
            else
                low=$middle
            fi
        done
        say "LEAST $1 $kind $high"
    done
}

least hello 16 "halvm:exit=0"
least hello-hs 16 "halvm:exit=0"
least hello-hs-threaded 16 "halvm:exit=0"
least httpd 16 "listening on port"
least web 64 "listening on port"
