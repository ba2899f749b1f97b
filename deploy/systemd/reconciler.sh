#!/bin/sh
# `reconciler VERB` from a shell: as the service's user, with its secrets and in its confinement. All of that
# is read from the unit and its drop-ins, so that a verb sees the world as the daemon does, whether that runs or not.
set -eu
program=/opt/ilt-calendar-reconciler/current/bin/reconciler

fail() {
    echo "reconciler: $2" >&2
    exit "$1"
}

# What needs neither the service's files nor its secrets.
case "${1-}" in
    '' | -h | --help | --version | new-key | demo) exec "$program" "$@" ;;
esac
[ "$(id -un)" != reconciler ] || exec "$program" "$@"
[ "$(id -u)" = 0 ] || fail 77 "works as the service's user, which takes root: sudo reconciler $*"
[ -d /run/systemd/system ] || fail 69 "systemd does not run here, so nobody hands out the secrets"

# Everything under [Service] but how a daemon is started, watched and stopped. Last line first: each is put
# in front of those before.
confinement() {
    systemctl cat reconciler.service | awk '
        /^\[/ { ours = $0 == "[Service]" }
        /^(Type|NotifyAccess|Exec[A-Za-z]*|Restart[A-Za-z]*|Timeout[A-Za-z]*|WatchdogSec|KillMode)=/ { next }
        ours && /^[A-Z]/ { lines[++count] = $0 }
        END { while (count) print lines[count--] }'
}

lines=$(confinement)
[ -n "$lines" ] || fail 78 "reconciler.service is not installed"
set -- -- "$program" "$@"
while IFS= read -r line; do
    set -- -p "$line" "$@"
done <<EOF
$lines
EOF
# LOGNAME is who the audit log names. --pty and --pipe: a terminal where there is one.
exec systemd-run --quiet --wait --collect --pty --pipe --service-type=exec \
    --description="reconciler, from a shell" --setenv=LOGNAME="${SUDO_USER:-root}" "$@"
