# SPDX-License-Identifier: BSD-3-Clause
# Reads the all.T files of GHC's test suite, which are Python, as far as the
# calls test(NAME, OPTIONS, KIND, ARGUMENTS) and enum_test(NAME) in them say
# how a program is built, run and judged. tests/ghc-base/run calls it with
# root, the folder that has the libraries. For each call it prints
#
#   FOLDER|NAME|STATUS|FLAGS|ARGUMENTS|STDIN|FILES|IGNORED|REASON
#
# with REASON set where the declaration itself leaves the test out.

FNR == 1 {
    call = ""
    folder = FILENAME
    sub(/\/all\.T$/, "", folder)
    sub("^" root "/", "", folder)
    package = ""
}

{ sub(/^ *#.*/, ""); sub(/ # .*/, "") }

call == "" && !/^(enum_)?test\(/ { next }

{
    call = call " " $0
    if (depth(call) > 0)
        next
    declare(call)
    call = ""
}

# How many parentheses are open after the text; those in quotes do not count.
function depth(text)
{
    gsub(/'[^']*'|"[^"]*"/, "", text)
    return gsub(/\(/, "", text) - gsub(/\)/, "", text)
}

# The first string in quotes in the text.
function string(text)
{
    if (!match(text, /'[^']*'|"[^"]*"/))
        return ""
    return substr(text, RSTART + 1, RLENGTH - 2)
}

# What follows "NAME(" in the text, or nothing.
function argument(text, name)
{
    if (!match(text, "[^a-z_]" name "\\("))
        return ""
    return substr(text, RSTART + RLENGTH)
}

function declare(text,    name, kind, options, status, flags, files, rest,
    ignored, reason)
{
    name = string(text)
    if (text ~ /^ enum_test/) {
        print_one(folder, name, 0, "-F -pgmF ./enum_processor.py", "", "",
            "enum_processor.py", "", "")
        return
    }
    if (match(text, /[a-z_]+, *(\\ *)?\[[^]]*\] *\) *$/)) {
        kind = rest = substr(text, RSTART)
        options = substr(text, 1, RSTART - 1)
        sub(/,.*/, "", kind)
        sub(/^[^[]*\[/, "", rest)
        if (kind == "multimod_compile_and_run")
            sub(/^[^,]*,/, "", rest)
        flags = string(rest)
    }
    status = argument(options, "exit_code") + 0
    if (options ~ /signal_exit_code/)
        status = 128 + argument(options, "signal_exit_code")
    rest = argument(options, "extra_files")
    sub(/\].*/, "", rest)
    while (string(rest) != "") {
        files = files " " string(rest)
        rest = substr(rest, index(rest, string(rest)) + length(string(rest)) + 1)
    }
    if (options ~ /ignore_stdout/) ignored = ignored " stdout"
    if (options ~ /ignore_stderr/) ignored = ignored " stderr"
    if (options ~ /only_ways\(\['(ghci', *')?threaded/ ||
        options ~ /only_threaded_ways/)
        flags = flags " -threaded"
    reason = left_out(kind, options)
    print_one(folder, name, status, flags,
        string(argument(options, "extra_run_opts")),
        string(argument(options, "set_stdin")), files, ignored, reason)
}

function left_out(kind, options)
{
    if (kind == "compile" || kind == "compile_fail")
        return "only compiled, nothing to run"
    if (kind == "ghci_script")
        return "a script for ghci"
    if (kind == "makefile_test")
        return "run by a makefile of GHC's test suite"
    if (kind !~ /compile_and_run$/)
        return "declared in a way of its own: " kind
    gsub(/when\(platform\([^)]*\), *expect_[a-z]*(\([^)]*\))?/, "", options)
    if (options ~ /expect_broken\(/)
        return "GHC's test suite expects it to fail"
    if (options ~ /(expect_fail_for|omit_ways)\(\['normal'/)
        return "not for programs built without optimisation"
    if (options ~ /cmd_prefix/)
        return "started by a shell command of its own"
    if (options ~ /opsys\('linux'\), *skip/)
        return "GHC's test suite leaves it out on Linux"
    return ""
}

function print_one(a, b, c, d, e, f, g, h, i)
{
    printf "%s|%s|%s|%s|%s|%s|%s|%s|%s\n", a, b, c, d, e, f, g, h, i
}
