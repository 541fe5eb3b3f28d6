# SPDX-License-Identifier: BSD-3-Clause
# halvm run --on linux, with a program that shows what it was given.
. "$HERE/lib.sh"
cat >show.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv)
{
    char line[100];
    FILE *file;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "read:", 5) == 0) {
            file = fopen(argv[i] + 5, "r");
            printf("%s=%s\n", argv[i],
                   file && fgets(line, sizeof(line), file) ? line : "none\n");
        } else if (strncmp(argv[i], "write:", 6) == 0) {
            printf("%s=%d\n", argv[i], fopen(argv[i] + 6, "w") != NULL);
        } else if (strcmp(argv[i], "abort") == 0) {
            abort();
        } else if (strcmp(argv[i], "sleep") == 0) {
            sleep(30);
        } else {
            printf("argument %s\n", argv[i]);
        }
    }
    for (char **variable = environ; *variable; variable++)
        printf("variable %s\n", *variable);
    return 5;
}
END
gcc -static -o show show.c
run "$HALVM" run --on linux -e A=1 ./show 'a b' -m
check "status" $status -eq 5
has "arguments" "$out" '^argument a b$'
has "options after the file are the program's" "$out" '^argument -m$'
check "only the variables asked for" \
    "$(printf '%s\n' "$out" | grep -c '^variable')" -eq 1
has "says so" "$err" '^halvm: linux process'
run "$HALVM" run --on linux -q ./show abort
check "a signal is 128 and its number" $status -eq 134
run timeout 20 "$HALVM" run --on linux -q --timeout 0.3 ./show sleep
check "--timeout" $status -eq 124
"$HALVM" run -q --on linux ./show sleep >out.txt 2>err.txt &
pid=$!
sleep 0.3
kill -TERM $pid
wait $pid
check "SIGTERM is passed on" $? -eq 143
chmod -x show
run "$HALVM" run --on linux ./show
three "not executable" 126
chmod +x show

mkdir -p dir/sub
echo text >dir/sub/file
if unshare -r -m true 2>/dev/null; then
    run "$HALVM" run --on linux -q -v dir:/site:ro -v dir/sub/file:/etc/halvm1 \
        -v dir:/usr/share/x ./show read:/site/sub/file write:/site/new \
        read:/etc/halvm1 read:/usr/share/x/sub/file read:/etc/passwd \
        write:/usr/share/x/new
    check "-v: status" $status -eq 5
    has "-v: a folder" "$out" '^read:/site/sub/file=text'
    has "-v: read-only" "$out" '^write:/site/new=0'
    has "-v: a file in a host's folder" "$out" '^read:/etc/halvm1=text'
    has "-v: deep in the host's tree" "$out" '^read:/usr/share/x/sub/file=text'
    has "-v: the rest is there" "$out" '^read:/etc/passwd=root'
    has "-v: may be written without :ro" "$out" '^write:/usr/share/x/new=1'
    check "-v: the host's tree is untouched" ! -e /site
else
    skip "-v" "no user name spaces here"
fi
run "$HALVM" run --on linux -p 18070:18070 ./show
has "a port of the same number is the program's own" "$err" 'port 18070'
cat >serve.c <<'END'
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void)
{
    struct sockaddr_in a = {AF_INET, htons(8071), {0}, {0}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (void *)&a, sizeof(a)) || listen(fd, 5))
        return 1;
    for (;;) {
        int c = accept(fd, 0, 0);
        char line[999];
        if (read(c, line, sizeof(line)) > 0)
            write(c, "HTTP/1.0 200 OK\r\n\r\nserved", 25);
        close(c);
    }
}
END
gcc -static -o serve serve.c
if command -v pasta >/dev/null && pasta --runas 0 -- true >/dev/null 2>&1; then
    "$HALVM" run -q --on linux -p 18072:8071 --timeout 20 ./serve \
        >out.txt 2>err.txt </dev/null &
    pid=$!
    soon curl -s -m 5 http://127.0.0.1:18072/
    run curl -s -m 5 http://127.0.0.1:18072/
    check "another port, through pasta" "$out" = served
    kill -TERM $pid
    wait $pid
    soon sh -c "! pgrep -f '$PWD/serve'"
    check "nothing of it is left" -z "$(pgrep -f "$PWD/serve")"
else
    skip "another port, through pasta" "pasta does not work here"
fi
exit $failed
