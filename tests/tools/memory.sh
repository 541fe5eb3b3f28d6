# SPDX-License-Identifier: BSD-3-Clause
# The least memory: what inspect says is enough, and what run refuses is not.
. "$HERE/lib.sh"
examples=$HERE/../../examples
built=$HERE/../../build/examples
"$CC" -O2 -o hello "$examples/hello.c"
"$CC" -O2 -o httpd "$examples/httpd.c"
if [ -x "$built/Hello" ]; then
    cp "$built/Hello" hello-hs
else
    "$GHC" -v0 -O -outputdir hs.obj -o hello-hs "$examples/Hello.hs"
fi
"$GHC" -v0 -O -threaded -outputdir hst.obj -o hello-hst "$examples/Hello.hs"

# number NAME PROGRAM: of inspect's JSON.
number() {
    "$HALVM" inspect --json "$2" | sed "s/.*\"$1\":\([0-9]*\).*/\1/"
}

# The parts sum to the least, or the image's end asks for more.
run "$HALVM" inspect --memory hello-hst
sum=$(printf '%s\n' "$out" | awk '/KiB$/ && !/^least/ { s += $(NF - 1) }
    /^least/ { print $(NF - 1) - s }')
check "the parts sum to the least, but for its rounding" \
    "$sum" -ge 0 -a "$sum" -le 64
run "$HALVM" inspect --memory hello
has "a C program has no heap of Haskell's" "$out" '^first stack'
hasnt "nor a network that it does not use" "$out" 'heap\|network'

# boots PROGRAM WORDS: at the least, and what is just below is refused.
boots() {
    least=$(($(number memory_min "$1") / 1024))
    run timeout 60 "$HALVM" run --on qemu --accel tcg -q -m "${least}k" \
        --net none --timeout 30 "$1"
    check "$1 in $least KiB" $status -eq 0
    has "$1 in $least KiB: its words" "$out" "$2"
    run "$HALVM" run --on qemu -q -m "$((least - 64))k" "$1"
    three "$1 in 64 KiB less" 125
    has "$1 in 64 KiB less: the sum" "$err" "it needs $least KiB: image [0-9]*,"
    fix=$(printf '%s\n' "$err" | sed -n 's/^  fix: halvm //p')
    # shellcheck disable=SC2086
    run "$HALVM" run --dry-run ${fix#run }
    check "$1: the fix is one" $status -eq 0
}
boots hello 'Hello'
boots hello-hs 'Hello'
boots hello-hst 'Hello'

# At the least, a page.
serves() { # PROGRAM PORT WORDS GUEST-PORT
    least=$(($(number memory_min "$1") / 1024))
    "$HALVM" run --on qemu --accel tcg -q -m "${least}k" -p "$2:$4" \
        --timeout 40 "$1" >server.txt 2>&1 </dev/null &
    server=$!
    soon curl -s -m 5 "http://127.0.0.1:$2/"
    curl -s -m 5 "http://127.0.0.1:$2/" >/dev/null
    run curl -s -m 5 "http://127.0.0.1:$2/"
    kill $server
    wait $server 2>/dev/null
    name_of=$(basename "$1")
    has "$name_of in $least KiB serves" "$out" "$3"
}
serves ./httpd 18091 . 8080
if [ -x "$built/web" ]; then
    serves "$built/web" 18092 . 8080
else
    skip "web in its least memory" "make examples"
fi

# Whatever starts it otherwise: the machine itself says what is missing.
qemu() {
    timeout 20 qemu-system-x86_64 -accel tcg -M microvm -cpu max -m "$1" \
        -nodefaults -no-reboot -display none -serial stdio -kernel "$2" \
        </dev/null
}
run qemu 1216K ./hello
has "by hand, the image ends beyond the memory" "$out" \
    'not enough memory to start'
has "by hand: the sum" "$out" 'ends at [0-9]* KiB; missing: [0-9]* KiB'
run "$HALVM" run --on qemu --accel tcg -q -m 2M --net none \
    --option fault=map hello
check "halvm.fault says nothing known: status" $status -eq 125
has "halvm.fault says nothing known" "$out" 'fix: map:N, page:N, object:N or'
run "$HALVM" run --on qemu --accel tcg -q -m 2M --net none \
    --option fault=map:1 hello
check "no room for the stack: status" $status -eq 125
has "no room for the stack: the sum" "$out" \
    "of 1660 KiB the image .* are free, the first thread's stack takes 64"
