/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The grammars of the halvm command: sizes, ports, volumes, durations; the
 * console's exit record in every split; response files; and the guest's
 * command line, written by tools/halvm and read back by core/options.c.
 */
#include <fcntl.h>
#include <unistd.h>

#include "check.h"
#include "tools/halvm-cc/halvm-cc.h"
#include "tools/halvm/halvm.h"

const char *tool_name = "tools_test";

/* core/options.h; its other headers do not go with a tool's. */
int options_init(const char *command_line);
const char *options_argument(const char *previous);
const char *options_variable(const char *previous);
const char *core_option(const char *name);
void *mem_pages_get(int account, size_t count);

void *mem_pages_get(int account, size_t count)
{
    static char page[4096];

    return page;
}

static void test_sizes(void)
{
    static const struct {
        const char *text;
        uint64_t size; /* 0: malformed */
    } cases[] = {
        {"64", 64 * MIB},
        {"64M", 64 * MIB},
        {"64m", 64 * MIB},
        {"64Mi", 64 * MIB},
        {"64MiB", 64 * MIB},
        {"64mb", 64 * MIB},
        {"2k", 2048},
        {"1G", 1024 * MIB},
        {"4096b", 4096},
        {"1T", MIB * MIB},
        {"", 0},
        {"M", 0},
        {"-1", 0},
        {"0", 0},
        {"1.5G", 0},
        {"1X", 0},
        {"64M ", 0},
        {"64Mii", 0},
        {"999999999999T", 0},
        {"99999999999999999999", 0},
        {"18446744073709551615b", 0},
    };
    uint64_t size;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        CHECK(parse_size(cases[i].text, &size) == (cases[i].size != 0));
        CHECK(cases[i].size == 0 || size == cases[i].size);
    }
}

static void check_port(const char *text, const char *address, unsigned host,
                       unsigned guest, bool udp)
{
    struct port port;

    CHECK(parse_port(text, &port));
    CHECK(strcmp(port.address, address) == 0);
    CHECK(port.host == host && port.guest == guest && port.udp == udp);
}

static void test_ports(void)
{
    static const char *const bad[] = {
        "",           "a",          "80:",
        ":",          "80:0",       "80:65536",
        "65536:80",   "1:2:3:4",    "x:80:80",
        "[::1:80:80", "80:80/sctp", "/udp",
        "80/ud",      "[]:80:80x",  "1.2.3:80:80",
        "80 :80",     "-1:80",      "999999999999:80",
    };
    struct port port;

    check_port("8080:80", "127.0.0.1", 8080, 80, false);
    check_port("80", "127.0.0.1", 0, 80, false);
    check_port("8053:53/udp", "127.0.0.1", 8053, 53, true);
    check_port("8053:53/tcp", "127.0.0.1", 8053, 53, false);
    check_port("0.0.0.0:8080:80", "0.0.0.0", 8080, 80, false);
    check_port("localhost:8080:80", "127.0.0.1", 8080, 80, false);
    check_port("[::1]:8080:80/udp", "::1", 8080, 80, true);
    check_port("10.0.0.1::80", "10.0.0.1", 0, 80, false);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK(!parse_port(bad[i], &port));
}

static void test_volumes(void)
{
    struct volume volume;

    CHECK(parse_volume("./a b:/site:ro", &volume) && volume.read_only);
    CHECK(strcmp(volume.from, "./a b") == 0);
    CHECK(strcmp(volume.to, "/site") == 0);
    CHECK(parse_volume("a:/", &volume) && !volume.read_only);
    CHECK(parse_volume("a:/b:rw", &volume) && !volume.read_only);
    CHECK(!parse_volume("a", &volume) && !parse_volume("a:b", &volume));
    CHECK(!parse_volume(":/b", &volume) && !parse_volume("", &volume));
    CHECK(!parse_volume("a:/x/../y", &volume));
    CHECK(!parse_volume("a:/x/..", &volume));
}

static void test_small(void)
{
    uint64_t ms;

    CHECK(parse_duration("10", &ms) && ms == 10000);
    CHECK(parse_duration("0.25s", &ms) && ms == 250);
    CHECK(parse_duration("1.5m", &ms) && ms == 90000);
    CHECK(parse_duration("2h", &ms) && ms == 7200000);
    CHECK(!parse_duration("", &ms) && !parse_duration("0", &ms));
    CHECK(!parse_duration("5x", &ms) && !parse_duration("5ms", &ms));
    CHECK(!parse_duration("1.", &ms) && !parse_duration("-1", &ms));
    CHECK(parse_is_variable("A=1") && parse_is_variable("_a1"));
    CHECK(!parse_is_variable("a.b=1") && !parse_is_variable("1=2"));
    CHECK(!parse_is_variable("=x") && !parse_is_variable("a b=1"));
    CHECK(strcmp(parse_shell_quote("it's"), "'it'\\''s'") == 0);
    CHECK(strcmp(parse_shell_quote(""), "''") == 0);
    CHECK(strcmp(parse_shell_quote("a=b"), "a=b") == 0);
    CHECK(strcmp(parse_json_quote("a\"\n\\"), "\"a\\\"\\u000a\\\\\"") == 0);
    CHECK(strcmp(parse_xl_quote("a\"\\'\n\r\t"), "\"a\\\"\\\\'\\n\\r\t\"") ==
          0);
    CHECK(strcmp(parse_xml_quote("a&\n<"), "a&#38;&#10;&#60;") == 0);
    CHECK(parse_xml_quote("a\001") == NULL);
    CHECK(parse_is_name("web-1") && parse_is_name("0x1"));
    CHECK(!parse_is_name("") && !parse_is_name("12") && !parse_is_name("-a"));
    CHECK(!parse_is_name("a/b") && !parse_is_name("a b"));
    CHECK(parse_is_interface("br-lan.2") && !parse_is_interface(""));
    CHECK(!parse_is_interface("..") && !parse_is_interface("a,b"));
    CHECK(!parse_is_interface("sixteen-letters-"));
    CHECK(strcmp(parse_size_text(64 * MIB), "64 MiB") == 0);
    CHECK(strcmp(parse_size_text(1664 * 1024), "1664 KiB") == 0);
}

/* Gives text to a console in two pieces, at every place; checks what comes
 * out and the status. */
static void check_console(const char *text, const char *want, int status)
{
    size_t length = strlen(text);

    for (size_t cut = 0; cut <= length; cut++) {
        struct console console;
        char got[512];
        ssize_t size;
        int ends[2];

        CHECK(pipe(ends) == 0);
        console_start(&console, ends[1], -1);
        console_take(&console, text, cut);
        console_take(&console, text + cut, length - cut);
        CHECK(console_end(&console) == status);
        close(ends[1]);
        size = read(ends[0], got, sizeof(got));
        close(ends[0]);
        CHECK(size == (ssize_t)strlen(want));
        CHECK(memcmp(got, want, strlen(want)) == 0);
    }
}

static void test_console(void)
{
    struct console console;

    check_console("", "", -1);
    check_console("hello\n", "hello\n", -1);
    check_console("a\x1ehalvm:exit=0\n", "a", 0);
    check_console("\x1ehalvm:exit=139\n", "", 139);
    check_console("\x1ehalvm:exit=7\nmore", "\x1ehalvm:exit=7\nmore", -1);
    check_console("\x1ehalvm:exit=7\n\x1ehalvm:exit=8\n", "\x1ehalvm:exit=7\n",
                  8);
    check_console("\x1e\x1ehalvm:exit=8\n", "\x1e", 8);
    check_console("\x1ehalvm:ex\x1ehalvm:exit=8\n", "\x1ehalvm:ex", 8);
    check_console("\x1ehalvm:exit=\n", "\x1ehalvm:exit=\n", -1);
    check_console("\x1ehalvm:exit=1x\n", "\x1ehalvm:exit=1x\n", -1);
    check_console("\x1ehalvm:exit=1", "\x1ehalvm:exit=1", -1);
    check_console("\x1ehalvm:exit=123456789012\n",
                  "\x1ehalvm:exit=123456789012\n", -1);

    console_start(&console, -1, -1);
    console_take(&console, "  #0 0x10a2\n  #1 0xfff\n #x 0x1\n# 0x2\n", 38);
    CHECK(console.address_count == 2);
    CHECK(console.addresses[0] == 0x10a2 && console.addresses[1] == 0xfff);
}

static void test_response(void)
{
    char path[] = "/tmp/halvm-test.XXXXXX";
    static const char text[] =
        "-a \"b c\"\\ d 'e \"f' g\\\"h\n\n \"\" \"i\\\"j\" 'k\\'l' m\\";
    static const char *const want[] = {"-a", "b c d", "e \"f", "g\"h",
                                       "",   "i\"j",  "k'l",   "m\\"};
    struct words words = {0};
    char *argument;
    int fd = mkstemp(path);

    CHECK(write(fd, text, sizeof(text) - 1) == sizeof(text) - 1);
    close(fd);
    argument = words_format("@%s", path);
    cc_expand(&words, 1, &argument);
    unlink(path);
    CHECK(words.count == sizeof(want) / sizeof(*want));
    for (size_t i = 0; i < words.count; i++)
        CHECK(strcmp(words.items[i], want[i]) == 0);
    free(argument);
}

/* What halvm run writes, core reads. */
static void test_command_line(void)
{
    static char *arguments[] = {"-x", "",     "a b", "q\"\\", "\\",
                                "--", "\t\n", "A=1", "'",     NULL};
    struct run run = {.arguments = arguments, .tty = "off", .trace = true};
    const char *word = NULL;
    char *line;

    run.image.path = "/somewhere/my prog";
    words_add(&run.environment, "A=1 2");
    words_add(&run.environment, "B=");
    words_add(&run.environment, "C=\\\"--\"");
    line = command_line_make(&run);
    CHECK(line && options_init(line) == 0);
    for (size_t i = 0; arguments[i]; i++) {
        word = options_argument(word);
        CHECK(word && strcmp(word, arguments[i]) == 0);
    }
    CHECK(!options_argument(word));
    word = NULL;
    for (size_t i = 0; i < run.environment.count; i++) {
        word = options_variable(word);
        CHECK(word && strcmp(word, run.environment.items[i]) == 0);
    }
    CHECK(!options_variable(word));
    CHECK(strcmp(core_option("name"), "my prog") == 0);
    CHECK(strcmp(core_option("tty"), "off") == 0);
    CHECK(core_option("trace") && !core_option("ip"));
}

/* The leak checker is no judge of a process that ends at once. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* The sum is monotonous but for the step at 8 MiB, where the stack begins to be
 * an eighth; the least is the first that fits. */
static void test_memory(void)
{
    struct image image = {.start = MIB, .network = true, .haskell = true};
    struct memory_sum sum;

    for (uint64_t size = 100 * 1024; size < 80 * MIB; size += 333 * 1024) {
        image.end = image.start + size;
        image.threaded = size % 2 == 0;
        memory_sum(&image, &sum);
        CHECK(sum.least % (64 * 1024) == 0 && sum.least >= image.end);
        CHECK(sum.advised % MIB == 0 && sum.advised > sum.least);
        CHECK(memory_fits(&sum, sum.least));
        CHECK(!memory_fits(&sum, sum.least - 64 * 1024));
        CHECK(memory_fits(&sum, sum.advised));
        CHECK(memory_fits(&sum, sum.least + 16 * MIB));
        CHECK(!memory_fits(&sum, 0));
    }
    /* 8 MiB of RAM and the hole: from there on the stack is four times as
     * large, and a larger machine too small. */
    image = (struct image){.start = MIB, .end = MIB + 7300 * 1024};
    memory_sum(&image, &sum);
    CHECK(memory_fits(&sum, 8512 * 1024) && !memory_fits(&sum, 8704 * 1024));
    CHECK(memory_fits(&sum, 9 * MIB));
    /* Where the image ends asks for more than the sum. */
    image = (struct image){.start = MIB, .end = MIB + 220 * 1024};
    memory_sum(&image, &sum);
    CHECK(sum.least == 1280 * 1024);
    CHECK(strstr(memory_sum_text(&sum), "image 220, core 72, stack 64") !=
          NULL);
    CHECK(strstr(memory_sum_text(&sum), "ends at 1244") != NULL);
}

int main(void)
{
    test_sizes();
    test_memory();
    test_ports();
    test_volumes();
    test_small();
    test_console();
    test_response();
    test_command_line();
    return 0;
}
