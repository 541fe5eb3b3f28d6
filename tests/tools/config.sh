# SPDX-License-Identifier: BSD-3-Clause
# halvm-config, and the build systems that use it.
. "$HERE/lib.sh"
for option in --cc --cxx --ghc --cmake --meson; do
    run "$CONFIG" $option
    check "$option names a file" -e "$out"
done
run "$CONFIG" --sysroot
check "--sysroot" -e "$out/include/stdio.h"
run "$CONFIG" --ghc-libdir
check "--ghc-libdir" -e "$out/settings"
run "$CONFIG" --pkg-config-dir
check "--pkg-config-dir" -d "$out"
run "$CONFIG" --cc --version
check "two answers" "$(printf '%s\n' "$out" | wc -l)" -eq 2
run "$CONFIG" --nonsense
three "unknown option" 1
run "$CONFIG" --cflags --libs
has "flags" "$out" '-nostdinc'

printf 'int three(void) { return 3; }\n' >y.c
printf '#include <math.h>\nint three(void); int main(int c, char **v)\n
{ return three() + (int)sqrt(c) - 1; }\n' >x.c
if command -v cmake >/dev/null; then
    cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.10)
project(x C)
include(CheckFunctionExists)
check_function_exists(printf_size HAVE_NOT)
check_function_exists(epoll_wait HAVE)
if(HAVE AND NOT HAVE_NOT)
    add_library(y y.c)
    add_executable(x x.c)
    target_link_libraries(x y m)
endif()
END
    run sh -c "cmake -B o -DCMAKE_TOOLCHAIN_FILE=$("$CONFIG" --cmake) . &&
        make -C o"
    run ./o/x
    check "cmake" $status -eq 3
else
    skip "cmake" "not installed"
fi
cat >Makefile <<'END'
x: x.o liby.a
	$(CC) $(LDFLAGS) -o $@ x.o -L. -ly -lm
liby.a: y.o
	$(AR) rcs $@ $^
END
rm -f x
run make CC="$("$CONFIG" --cc)" LDFLAGS="-Wl,-z,relro -pie"
run ./x
check "make" $status -eq 3
exit $failed
