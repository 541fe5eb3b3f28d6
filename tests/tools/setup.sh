# SPDX-License-Identifier: BSD-3-Clause
# ./setup, in a copy of what it needs of the tree.
. "$HERE/lib.sh"
mkdir -p tree/third_party bin
cp "$TOP/setup" tree/
cp "$TOP/third_party/versions" tree/third_party/
run tree/setup list
has "the list" "$out" '^gcc$'
run tree/setup nonsense
three "no such step" 1
cat >bin/dpkg-query <<'END'
#!/bin/sh
[ "${4:-}" = "${MISSING:-}" ] || printf installed
END
cat >bin/apt-get <<'END'
#!/bin/sh
echo "$@" >>apt.log
exit "${APT_STATUS:-0}"
END
cat >bin/id <<'END'
#!/bin/sh
echo "${ID:-0}"
END
chmod +x bin/*
export PATH="$PWD/bin:$PATH" MISSING APT_STATUS ID
run tree/setup packages
check "nothing is missing: apt-get is not called" ! -e tree/apt.log
MISSING=scdoc
run tree/setup packages
has "installs what is missing, and no more" "$(cat tree/apt.log)" \
    '^install -y --no-install-recommends scdoc$'
has "and says so" "$out" 'setup: installing scdoc'
APT_STATUS=100
run tree/setup packages
three "apt-get fails" 1
ID=1000 MISSING=scdoc APT_STATUS=0
ln -s "$(command -v sh)" bin/sh
for tool in dirname sed cat sort awk tr; do
    ln -sf "$(command -v $tool)" bin/
done
run env PATH="$PWD/bin" tree/setup packages
three "neither root nor sudo" 1
unset MISSING APT_STATUS ID
rm bin/apt-get bin/id

files=$TOP/build/third_party/.files
if [ -d "$files" ]; then
    run env HALVM_SOURCES="$files" tree/setup sources
    check "sources from a folder" -e tree/build/third_party/musl/VERSION
    check "lwIP, too" -e tree/build/third_party/lwip/FILES
    rm -rf "$PWD/nowhere"
    run env HALVM_SOURCES="$PWD/nowhere" tree/setup sources
    check "once is enough" $status -eq 0
    rm -rf tree/build
    mkdir changed
    cp "$files"/* changed/
    echo >>changed/musl_1.2.3.orig.tar.gz
    run env HALVM_SOURCES="$PWD/changed" tree/setup sources
    three "a changed file is refused" 1
else
    skip "sources from a folder" "none were fetched here"
fi
exit $failed
