#!/bin/sh
# Puts the reconciler in its place on Debian 12 or later, brings it up to date, or takes it away again:
#
#   sh deploy/install.sh             installs, or upgrades what is there
#   sh deploy/install.sh --remove    takes it away; data and settings stay, and it says where
#
# As root, from a checkout. It can be run again at any time. PYTHON names another interpreter than Debian's.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-/usr/bin/python3}
home=/opt/ilt-calendar-reconciler
settings=/etc/reconciler
state=/var/lib/reconciler
units=/etc/systemd/system
services="reconciler.service reconciler-worker.service"
sysusers=/etc/sysusers.d/reconciler.conf
command=/usr/local/bin/reconciler

say() { echo "$*"; }

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

systemd_runs() { [ -d /run/systemd/system ]; }

check_host() {
    [ "$(id -u)" = 0 ] || fail "has to be run as root"
    command -v systemd-sysusers >/dev/null || fail "needs systemd 252 or later (Debian 12)"
    [ -x "$python" ] || fail "$python is not there: apt-get install python3-venv, or say PYTHON=..."
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$python is older than Python 3.11"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python has no venv: apt-get install python3-venv"
    case $("$python" -c 'import sys; print(sys.base_prefix)') in
        /home* | /root*) fail "$python lies in a home directory, which the service does not see" ;;
    esac
}

# A release is a virtual environment of its own; `current` points to the one that is used.
build_release() {
    number=1
    while [ -e "$home/releases/$number" ]; do number=$((number + 1)); done
    release=$home/releases/$number
    work=$(mktemp -d)
    trap 'rm -rf "$work" "$release"' EXIT
    trap 'exit 1' HUP INT TERM
    say "Building release $number in $release"
    mkdir -p "$home/releases"
    "$python" -m venv "$release"
    pip_install --require-hashes --no-deps -r "$here/requirements.lock"  # which names all of them
    install_program
    cp -R "$here/docs" "$here/config" "$here/deploy" "$here/README.md" "$here/CHANGELOG.md" "$release/"
    chmod -R go+rX "$release"
    "$release/bin/reconciler" --version
    rm -rf "$work"
    trap - EXIT HUP INT TERM
}

pip_install() {
    "$release/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

# The program itself, built from a copy, so that nothing is left in the checkout. What builds it comes with
# its hashes too, and goes again.
install_program() {
    cp -R "$here/reconciler" "$here/setup.cfg" "$here/pyproject.toml" "$here/README.md" "$here/LICENSE" "$work/"
    sed -n '/^setuptools==/,/[^\\]$/p' "$here/requirements-dev.lock" >"$work/build.lock"
    pip_install --require-hashes -r "$work/build.lock"
    pip_install --no-deps --no-build-isolation "$work"
    "$release/bin/python" -m pip uninstall --quiet --yes setuptools
}

put_in_place() {
    install -D -m 644 "$here/deploy/systemd/reconciler.sysusers" "$sysusers"
    systemd-sysusers "$sysusers"
    install -d -m 750 -o root -g reconciler "$settings"
    install -d -m 700 -o root -g root "$settings/secrets"
    first=
    if [ ! -e "$settings/reconciler.yaml" ]; then
        first=yes
        install -m 640 -o root -g reconciler "$here/config/reconciler.production.yaml" "$settings/reconciler.yaml"
    fi
    if [ ! -e "$settings/secrets/token-key" ]; then
        (umask 077 && "$release/bin/reconciler" new-key >"$settings/secrets/token-key")
        say "Made $settings/secrets/token-key: keep a copy where you keep passwords."
    fi
    place_units "$here"
}

# Both units, neither of them enabled: which of them works on this machine is the operator's choice.
place_units() {
    for service in $services; do
        [ ! -e "$1/deploy/systemd/$service" ] ||
            install -D -m 644 "$1/deploy/systemd/$service" "$units/$service"
    done
    install -D -m 755 "$1/deploy/systemd/reconciler.sh" "$command"
}

# From here on the new release is used; the one before stays, should you want to go back. Processes at work are
# stopped first: they would find the new release's files where their own were.
switch() {
    before=$(readlink "$home/current" || true)
    working=
    if systemd_runs; then
        systemctl daemon-reload
        for service in $services; do
            case $(systemctl is-active "$service") in
                active | reloading | activating) working="$working $service" ;;
            esac
        done
    fi
    [ -z "$working" ] || systemctl stop $working
    point_to "releases/$number"
    [ -z "$working" ] || upgrade_state
    for old in "$home"/releases/*; do
        case "$old" in "$home/$before" | "$release") ;; *) rm -rf "$old" ;; esac
    done
}

point_to() {
    ln -sfn "$1" "$home/current.new"
    mv -fT "$home/current.new" "$home/current"
}

# All of it or nothing: where the state database cannot follow, the release before works on.
upgrade_state() {
    say "Bringing the state database up to date, and starting again"
    if "$command" schema upgrade; then
        systemctl start $working
        return
    fi
    point_to "$before"
    place_units "$home/$before"
    rm -rf "$release"
    systemctl daemon-reload
    systemctl start $working || true
    fail "the state database could not be brought up to date (see above): the release before is back in use"
}

next_steps() {
    [ -n "$first" ] || return 0
    say "Next: edit $settings/reconciler.yaml, put each secret it names into $settings/secrets/, then"
    say "    reconciler schema upgrade && reconciler check-config --online && systemctl enable --now reconciler"
    say "$home/current/docs/install.md tells it step by step."
}

remove() {
    [ "$(id -u)" = 0 ] || fail "has to be run as root"
    for service in $services; do
        if systemd_runs && [ -e "$units/$service" ]; then
            systemctl disable --quiet --now "$service"
        fi
        rm -f "$units/$service"
    done
    rm -rf "$home"
    rm -f "$sysusers" "$command"
    if systemd_runs; then
        systemctl daemon-reload
        systemctl reset-failed $services 2>/dev/null || true
    fi
    say "The program is gone. Left, because it is yours:"
    for kept in "$settings" "$state" "$units/reconciler.service.d" "$units/reconciler-worker.service.d"; do
        if [ -e "$kept" ]; then say "    $kept"; fi
    done
    say "    the user reconciler, to whom that belongs, and the databases that the settings name."
    say "The events in people's calendars stay too; before the removal, reconciler forget PERSON takes them away."
}

case "${1-}" in
    '')
        umask 022
        check_host
        build_release
        put_in_place
        switch
        systemd_runs || say "systemd does not run here: nothing was started."
        next_steps
        ;;
    --remove) remove ;;
    *) fail "knows no $1; run it without anything, or with --remove" ;;
esac
