# SPDX-License-Identifier: BSD-3-Clause
# The manual pages: well formed, and none lacks an option of its verb.
. "$HERE/lib.sh"
command -v scdoc >/dev/null || {
    skip "all" "no scdoc"
    exit 0
}
for source in "$TOP"/docs/man/*.scd; do
    page=$(basename "$source" .scd)
    run scdoc <"$source"
    scdoc <"$source" >"$page" 2>err.txt
    check "$page: scdoc" -s "$page"
    if command -v mandoc >/dev/null; then
        run mandoc -Tlint -Werror "$page"
        check "$page: mandoc" -z "$out"
    fi
done
for verb in run inspect doctor config; do
    "$HALVM" $verb --help >help.txt
    missing=
    for option in $(grep -o -e '^  .\{4\}--[a-z-]*' help.txt |
        grep -o -e '--.*'); do
        grep -q -e "^\*\\(.*, \*\\)\{0,1\}$option\*" \
            "$TOP/docs/man/halvm-$verb.1.scd" || missing="$missing $option"
    done
    check "halvm-$verb.1 has every option" -z "$missing"
done
exit $failed
