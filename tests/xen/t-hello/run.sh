# SPDX-License-Identifier: BSD-3-Clause
# The life of a domain, as PV and as PVH: how it ends, and what xl hears of it.
#
# program: guest
. /lib/lib.sh

for kind in pv pvh; do
    type="type=\"$kind\""

    say "$kind: status 0 switches off"
    create guest.cfg "$type" "name=\"$kind-0\"" 'extra="-- exit 0"'
    wait_console $kind-0 "guest: begins to exit"
    wait_gone $kind-0
    wait_reason $kind-0 0
    wait_record $kind-0 0

    say "$kind: another status is a crash"
    create guest.cfg "$type" "name=\"$kind-3\"" 'extra="-- exit 3"' \
        'on_crash="preserve"'
    until_ok 30 in_state $kind-3 c || fail "$kind-3: $(state $kind-3)"
    wait_reason $kind-3 3
    wait_record $kind-3 3
    xl destroy $kind-3
    wait_gone $kind-3
    create guest.cfg "$type" "name=\"$kind-4\"" 'extra="-- exit 4"' \
        'on_crash="destroy"'
    wait_gone $kind-4
    wait_reason $kind-4 3

    say "$kind: xl shutdown is the power button"
    create guest.cfg "$type" "name=\"$kind-w\"" 'extra="-- wait"'
    wait_console $kind-w "guest: waiting"
    xl shutdown $kind-w || fail "xl shutdown"
    wait_console $kind-w "guest: signal 15"
    wait_gone $kind-w
    wait_reason $kind-w 0

    say "$kind: xl reboot is, too, and xl may start it again"
    create guest.cfg "$type" "name=\"$kind-r\"" 'extra="-- wait"'
    wait_console $kind-r "guest: waiting"
    xl reboot $kind-r || fail "xl reboot"
    wait_gone $kind-r
    wait_reason $kind-r 1

    say "$kind: what is typed"
    create guest.cfg "$type" "name=\"$kind-e\"" 'extra="-- echo"'
    wait_console $kind-e "guest: listening"
    type_in $kind-e "typed words"
    wait_console $kind-e "guest: read typed words"
    wait_gone $kind-e
done
