# SPDX-License-Identifier: BSD-3-Clause
# halvm-cc: gcc's arguments, and what is refused.
. "$HERE/lib.sh"
cat >hello.c <<'END'
#include <math.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    printf("hello %d %s %.3f\n", argc, argc > 1 ? argv[1] : "-", sqrt(argc));
    return 7;
}
END
is_ours() { # WHAT FILE: static, at 1 MiB, and runs
    what=$1
    run readelf -lhW "$2"
    hasnt "$what: static" "$out" INTERP
    has "$what: at 1 MiB" "$out" 'LOAD  *0x000000 0x0*100000 0x0*100000'
    run "$2" word
    check "$what: runs" $status -eq 7
}
run "$CC" hello.c -o hello
check "compiles and links" $status -eq 0
is_ours "plain" ./hello
run "$CC" -O2 -pie -rdynamic -fuse-ld=gold -L/usr/lib -L /usr/lib64 \
    -I/usr/include -isystem /usr/include -Wl,-z,relro,-z,now,-E \
    -Xlinker --export-dynamic -static hello.c -lm -lpthread -lrt -ldl -lc \
    -o hard
check "flags of host programs are dropped" $status -eq 0
is_ours "host flags" ./hard
run "$CC" -c hello.c
check "-c" -f hello.o
run "$CC" hello.o
is_ours "a.out" ./a.out
run "$CC" -S hello.c -o hello.s
has "-S" "$(cat hello.s)" '\.section.*\.text'
run "$CC" -E hello.c
has "-E takes our headers" "$out" 'lib/halvm/include/stdio.h'
hasnt "-E takes no header of the host" "$out" '"/usr/include'
run "$CC" -MM hello.c
has "-MM" "$out" '^hello.o: hello.c'
printf 'int main(void) { return 7; }' | "$CC" -x c - -o fromstdin
is_ours "-x c -" ./fromstdin
printf '.globl main\nmain: movl $SEVEN, %%eax\n ret\n' >a.S
run "$CC" -DSEVEN=7 a.S -o froms
is_ours ".S" ./froms
mkdir 'a b'
cp hello.c 'a b/x"y.c'
printf -- '-o "rsp out"\n@two.rsp' >one.rsp
printf "'a b/x\"y.c' -l\\\\m a\\\\ b/none.o" >two.rsp
"$CC" -c -o 'a b/none.o' -x c - </dev/null
run "$CC" @one.rsp
check "response files: quotes, escapes, nesting" -x 'rsp out'
is_ours "response file" './rsp out'
run "$CC" hello.c @not-there.rsp
check "a response file that is not there is a file name" $status -ne 0
i=0
: >long.rsp
while [ $i -lt 3000 ]; do
    echo "-DLONG_NAME_OF_A_MACRO_$i=\"a b\"" >>long.rsp
    i=$((i + 1))
done
run "$CC" @long.rsp hello.c -o long
check "a line that is too long for one exec" $status -eq 0
is_ours "long line" ./long

printf 'int three(void); int four(void) { return three() + 1; }' >p.c
printf 'int four(void); int three(void) { static int n; return n++ ? four()
    : 3; }' >q.c
printf 'int four(void); int main(void) { return four() + 3; }' >m.c
run "$CC" -c p.c q.c
ar rcs libp.a p.o
ar rcs libq.a q.o
run "$CC" m.c -L. -lp -lq -o ring
is_ours "archives that need each other" ./ring
run "$CC" m.c -L. -lq -lp -o ring2
is_ours "in the other order" ./ring2
run "$CC" m.c -Wl,--whole-archive libp.a libq.a -Wl,--no-whole-archive -o whole
is_ours "whole archives" ./whole

run "$CC" -mhalvm-codegen hello.c -o codegen
has "-mhalvm-codegen" "$(nm codegen)" ' halvm_image_codegen$'
printf '#include <sys/socket.h>
int main(void) { return socket(AF_INET, SOCK_STREAM, 0) < 0; }' >socket.c
run "$CC" socket.c -o lwip
has "lwIP is linked in" "$("$TOP/tests/net/lwip" "$PWD/lwip")" '^tcp_input$'
run "$CC" -mhalvm-no-lwip socket.c -o no-lwip
check "-mhalvm-no-lwip" -z "$("$TOP/tests/net/lwip" "$PWD/no-lwip")"
run ./no-lwip
check "-mhalvm-no-lwip makes no difference to a process" $status -eq 0
run "$HALVM" inspect --libs lwip
has "inspect: lwIP" "$out" '^network *lwIP$'
run "$HALVM" inspect --libs no-lwip
has "inspect: a network of its own" "$out" "^network *the program's own$"
run "$CC" hello.c -o again
check "the same input makes the same file" \
    "$(cksum <hello)" = "$(cksum <again)"

run "$CC" -dumpmachine
check "-dumpmachine" "$out" = x86_64-linux-musl
run "$CC" --version
has "--version" "$out" '^[^ ]*gcc '
run "$CC" -v
has "-v" "$err" '^gcc version'
run "$CC" '-###' hello.c
has "-### shows the link" "$err" 'halvm-boot.o'
check "-### makes nothing" $status -eq 0
run "$CC" -print-file-name=libc.so.6
has "-print-file-name is the host's" "$out" '^/'
run "$CC" -Wl,--version
has "-Wl,--version" "$out" '^GNU ld'
printf 'int f(void) { return 1; }' >f.c
run gcc -shared -fPIC f.c -o want.so
run "$CC" -shared -fPIC f.c -o f.so
has "-shared is the host's" "$(readelf -h f.so)" 'DYN'
run "$CC" -r -nostdlib p.o q.o -o both.o
has "-r is the host's" "$(readelf -h both.o)" 'REL '

while read -r words; do
    # shellcheck disable=SC2086
    run "$CC" hello.c $words -o refused
    three "refused: $words" 1
done <<END
/usr/lib/x86_64-linux-gnu/libz.so
libx.so.1.2
-l:libz.so
-lHSbase-4.15.1.0-ghc9.0.2
-dynamic
-m32
-lanl
/usr/lib/x86_64-linux-gnu/libmvec.a
-fsanitize=address
-lno-such-library
END
printf 'int main(void) { int printf_size(void);
    return printf_size(); }' >u.c
run "$CC" -fno-builtin u.c -o refused
three "a function of glibc that we have not" 1
has "it names the function" "$err" 'no function printf_size$'
printf '#include <gelf.h>\nint main(void) { return 0; }' >g.c
if [ -e /usr/include/gelf.h ]; then
    run "$CC" -c g.c
    three "a header that only the host has" 1
fi
run "$CC" bad-name.c
check "gcc's own errors and status" $status -eq 1
run env HALVM_SYSROOT=/nowhere "$CC" hello.c
three "no sysroot" 1
exit $failed
