"""What an operator does with the service, step by step; each step says what has to be so."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from tests.booted import setting_up
from tests.booted.host import Host, Wrong
from tests.booted.setting_up import PROGRAM, configure, sql

Step = Callable[[Host], None]
STEPS: list[tuple[str, Step]] = []
INSTALL = "cd /src && PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels sh deploy/install.sh"
CONFINED = "/proc/$(systemctl show -P MainPID reconciler)"


def step(sentence: str) -> Callable[[Step], Step]:
    """One step of the story, in its place."""

    def keep(function: Step) -> Step:
        STEPS.append((sentence, function))
        return function

    return keep


def expect(holds: object, otherwise: str) -> None:
    if not holds:
        raise Wrong(otherwise)


def shown(host: Host, what: str) -> str:
    """A property of the unit."""
    return host.sh(f"systemctl show -P {what} reconciler")


def metric(host: Host, series: str) -> float:
    """A series of the daemon; -1 where there is nothing to ask."""
    text = host.run("curl -sf http://127.0.0.1:9464/metrics").stdout
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else -1.0


def live(host: Host, vendor: str) -> float:
    return metric(host, f'reconciler_events{{provider="{vendor}",state="live"}}')


def journal(host: Host, *options: str) -> list[dict[str, Any]]:
    text = host.sh(f"journalctl -u reconciler -o json {' '.join(options)}")
    return [json.loads(line) for line in text.splitlines()]


def says(host: Host, words: str) -> bool:
    """Whether the journal has these words since the service was last started."""
    since = shown(host, "InvocationID")
    lines = host.run(f"journalctl -o cat _SYSTEMD_INVOCATION_ID={since}").stdout
    return words in lines


def restart(host: Host) -> None:
    host.sh("systemctl restart reconciler")
    host.until(
        "a push ends", lambda: metric(host, 'reconciler_cycles_total{cycle="push",result="success"}') > 0
    )


def fault(host: Host, **given: Any) -> None:
    """From now on something goes wrong at Google."""
    curl = "curl -sf -k -X {} https://localhost:8443/_sim/{} --json @-"
    host.sh(curl.format("DELETE", "requests"), told="{}")
    host.sh(curl.format("POST", "faults"), told=json.dumps(given))


def change_title(host: Host, title: str) -> None:
    """Every event of the first-aid course is out of date from now on."""
    sql(host, f"UPDATE mdl_facetoface SET name = '{title}' WHERE name LIKE 'First Aid%'")


def state(host: Host, statement: str) -> str:
    """What our own database says to a statement."""
    script = (
        "import sqlite3, sys\n"
        "with sqlite3.connect('/var/lib/reconciler/state.db') as state:\n"
        "    print(*(state.execute(sys.stdin.read()).fetchone() or ()))\n"
    )
    return host.sh(f'python3 -c "{script}"', told=statement)


def asked(host: Host) -> str:
    return host.run("curl -sf -k https://localhost:8443/_sim/requests").stdout


# Coming up ----------------------------------------------------------------------------------------


@step("the installer puts everything in its place, and says what comes next")
def _install(host: Host) -> None:
    expect("Next: edit" in host.sh(INSTALL), "it does not say what comes next")
    expect(shown(host, "LoadState") == "loaded", "the unit is not known")


@step("Moodle's login and script are set up as the pages say, and both vendors listen")
def _surroundings(host: Host) -> None:
    setting_up.moodle_database(host)
    setting_up.moodle_script(host)
    setting_up.vendors(host)
    setting_up.secrets(host)
    configure(host)


@step("verbs work from a shell, Moodle's script answers by ssh from inside the confinement")
def _verbs(host: Host) -> None:
    host.sh("reconciler schema upgrade")
    expect("all is well" in host.sh("reconciler check-config --online"), "all is not well")
    setting_up.connect_people(host)
    expect(host.run("reconciler plan").returncode == 2, "a plan with changes does not end with 2")
    expect(host.run("reconciler plan", user="nobody").returncode == 77, "nobody may ask for a plan")


@step("it starts, fills calendars, and systemctl status tells how it stands")
def _start(host: Host) -> None:
    host.sh("systemctl enable --quiet --now reconciler")
    host.until("calendars are filled", lambda: live(host, "google") == 4 and live(host, "microsoft") > 0)
    host.until("the status line counts", lambda: "in place" in shown(host, "StatusText"))
    expect(host.sh("curl -sf http://127.0.0.1:9464/ready"), "it is not ready")
    expect(host.run("reconciler status").returncode == 0, "reconciler status finds something")


@step("its journal has levels and cycles, and nobody's address")
def _journal(host: Host) -> None:
    entries = journal(host, "_TRANSPORT=stdout")
    expect({one["PRIORITY"] for one in entries} >= {"6"}, "no entry is of level info")
    texts = [str(one["MESSAGE"]) for one in entries]
    expect(any("cycle=push-" in text for text in texts), "no entry names its cycle")
    expect(not [text for text in texts if "@" in text], "there is an address in the journal")


@step("its secrets are its own, it is nobody else, and writes nowhere but to its state")
def _credentials(host: Host) -> None:
    folder = "/run/credentials/reconciler.service"
    expect(host.run(f"ls {folder}", user="nobody").returncode != 0, "others see its secrets")
    expect(
        "secret" not in host.sh(f"tr '\\0' '\\n' <{CONFINED}/environ | grep -v ^PATH= | grep -vi dir"),
        "a secret is in its environment",
    )
    expect(host.sh(f"stat -c %U {CONFINED}") == "reconciler", "it runs as somebody else")
    status = host.sh(f"cat {CONFINED}/status")
    expect("CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status, "it has powers")
    mounts = host.sh(f"cat {CONFINED}/mounts")
    writable = {line.split()[1] for line in mounts.splitlines() if line.split()[3].startswith("rw")}
    expect("/var/lib/reconciler" in writable and "/" not in writable, f"it may write to {writable}")


@step("Debian's Prometheus scrapes it, with the rules and the sample as they are delivered")
def _prometheus(host: Host) -> None:
    host.sh("""
        cp /opt/ilt-calendar-reconciler/current/deploy/prometheus/*.yml /etc/prometheus/
        promtool check config /etc/prometheus/prometheus.yml
        systemctl reload prometheus""")
    ask = "curl -sf http://127.0.0.1:9090/api/v1/query --data-urlencode 'query=up{job=\"reconciler\"} == 1'"
    host.until("it is scraped", lambda: '"value"' in host.run(ask).stdout)


# Reloading ----------------------------------------------------------------------------------------


@step("a reload takes other settings up without another process")
def _reload(host: Host) -> None:
    before = shown(host, "MainPID")
    configure(host, intervals={"push": "2s"})
    host.sh("systemctl reload reconciler")
    interval = 'reconciler_cycle_interval_seconds{cycle="push"}'
    host.until("it pushes every 2 s", lambda: metric(host, interval) == 2)
    expect(shown(host, "MainPID") == before, "it is another process")


@step("a broken file is refused by line and key, in the status and in the journal; work goes on")
def _broken(host: Host) -> None:
    configure(host, intervals={"psuh": "2s"})
    host.sh("systemctl reload reconciler")
    host.until("the status says so", lambda: "NOT reloaded" in shown(host, "StatusText"))
    expect(says(host, "intervals.psuh: unknown key"), "the key is not named")
    done = metric(host, 'reconciler_cycles_total{cycle="push",result="success"}')
    host.until(
        "pushes go on", lambda: metric(host, 'reconciler_cycles_total{cycle="push",result="success"}') > done
    )
    expect(metric(host, "reconciler_config_last_reload_successful") == 0, "the gauge does not say so")


@step("what only a restart can change is refused with a sentence")
def _needs_restart(host: Host) -> None:
    configure(host, ops={"listen": "127.0.0.1:9465"})
    host.sh("systemctl reload reconciler")
    host.until("it is refused", lambda: says(host, "ops.listen: cannot be changed while running"))
    configure(host)
    host.sh("systemctl reload reconciler")
    host.until("all is well again", lambda: metric(host, "reconciler_config_last_reload_successful") == 1)


# Ending -------------------------------------------------------------------------------------------


@step("a loop that stands still is killed by the watchdog and started again")
def _watchdog(host: Host) -> None:
    drop_in = "/etc/systemd/system/reconciler.service.d/trial.conf"
    host.write(drop_in, "[Service]\nWatchdogSec=12\nRestartSec=1\nTimeoutAbortSec=2\n", mode=0o644)
    host.sh("systemctl daemon-reload")
    restart(host)
    lock = "BEGIN; LOCK TABLE mdl_facetoface; SELECT pg_sleep(600)"
    host.sh(f'systemd-run --quiet --unit=lock --uid=postgres psql moodle -c "{lock}"')
    host.until("it is started again", lambda: int(shown(host, "NRestarts")) > 0)
    sql(host, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'")
    host.until(
        "it works again", lambda: metric(host, 'reconciler_cycles_total{cycle="push",result="success"}') > 0
    )
    texts = host.sh("journalctl -u reconciler -o cat")
    expect("no sign of life of push" in texts, "the log does not say what stood still")
    expect("Watchdog timeout" in texts, "it was not the watchdog")
    host.sh(f"rm {drop_in} && systemctl daemon-reload")


@step("told to stop, it finishes the long call under way, and is down in good order")
def _drain(host: Host) -> None:
    restart(host)
    fault(host, kind="slow", operation="update", seconds=6.0)
    change_title(host, "First Aid at the Office")
    host.until("the call is under way", lambda: '"update"' in asked(host))
    host.sh("systemctl stop reconciler")
    expect(shown(host, "Result") == "success", f"it ended with {shown(host, 'Result')}")
    texts = host.sh("journalctl -u reconciler -o cat -n 20")
    expect("msg=stopped" in texts, "it was not drained")
    history = host.run("reconciler explain 22 3").stdout
    expect("First Aid at the Office" in history, f"what the long call did is not known: {history}")


@step("a second SIGTERM ends it at once, and the next start finds its way")
def _second(host: Host) -> None:
    restart(host)
    fault(host, kind="slow", operation="update", seconds=25.0)
    change_title(host, "First Aid for all")
    host.until("the call is under way", lambda: '"update"' in asked(host))
    begun = time.monotonic()
    host.sh("systemctl kill -s TERM --kill-who=main reconciler")
    host.until("it drains", lambda: says(host, "stopping: waiting"))
    expect(shown(host, "ActiveState") in ("active", "deactivating"), "the first one has ended it")
    host.sh("systemctl kill -s TERM --kill-who=main reconciler")
    host.until("it is down", lambda: shown(host, "ActiveState") in ("inactive", "failed"))
    expect(time.monotonic() - begun < 20, "it has waited for the call")
    restart(host)


@step("a seat is given back by ssh when its learner deletes the event")
def _given_back(host: Host) -> None:
    host.sh("echo delete learner@google.example >/srv/vendors/owner")
    query = (
        "SELECT count(*) FROM mdl_facetoface_signups_status"
        " WHERE statuscode = 10 AND superceded = 0 AND note LIKE '%ilt-reconciler%'"
    )
    host.until("two seats are free", lambda: sql(host, query) == "2")


# Trouble ------------------------------------------------------------------------------------------


@step("a port in use ends it with a sentence, and it is not tried again")
def _port(host: Host) -> None:
    configure(host)
    host.sh("systemctl stop reconciler; systemd-run --quiet --unit=taken nc -lk 127.0.0.1 9464")
    expect(host.run("systemctl start reconciler").returncode != 0, "it has started")
    expect(shown(host, "ExecMainStatus") == "78" and shown(host, "NRestarts") == "0", "it is tried again")
    expect(says(host, "ops.listen: cannot listen on 127.0.0.1 port 9464"), "no sentence about it")
    host.sh("systemctl stop taken; systemctl reset-failed reconciler")


@step("a secret that is missing, or that others may read or change, is refused with what to do")
def _secrets(host: Host) -> None:
    loose = "/etc/reconciler/loose"
    host.write(loose, "simulated-secret", mode=0o644)
    google = {"google": {**setting_up.SETTINGS["providers"]["google"], "client_secret_file": loose}}
    configure(host, providers=google, accounts={"defaults": {"vendors": ["google"]}})
    trouble = {
        f"chmod 644 {loose}": f"everybody may read {loose} (mode 0644): chmod 600 it",
        f"chmod 600 {loose}; chown root {loose}": f"the file {loose} cannot be read: Permission denied",
        f"chmod 640 {loose}; chown nobody:reconciler {loose}": f"{loose} belongs to user 65534, who",
        f"rm {loose}": f"the file {loose} cannot be read: No such file",
    }
    for act, sentence in trouble.items():
        ended = host.run(f"{act}; reconciler check-config")
        said = ended.stdout + ended.stderr
        expect(ended.returncode == 78 and sentence in said, f"not {sentence}: {said}")
    configure(host)


# Upgrading, and away ------------------------------------------------------------------------------


@step("an upgrade while it runs ends in the new release, at work")
def _upgrade(host: Host) -> None:
    restart(host)
    before = shown(host, "MainPID")
    host.sh(INSTALL)
    expect(host.sh(f"readlink {PROGRAM}") == "releases/2", "the new release is not the one in use")
    expect(shown(host, "MainPID") not in (before, "0"), "it was not started again")
    expect(shown(host, "ActiveState") == "active", "it is not at work")


@step("an upgrade whose schema cannot be brought up to date goes back to the release before")
def _failing(host: Host) -> None:
    known = state(host, "SELECT version_num FROM alembic_version")
    state(host, "UPDATE alembic_version SET version_num = '9999'")
    ended = host.run(INSTALL)
    expect(ended.returncode != 0, "it says that all is well")
    expect("newer program" in ended.stdout + ended.stderr, f"no sentence: {ended.stdout}{ended.stderr}")
    expect(host.sh(f"readlink {PROGRAM}") == "releases/2", "the new release is in use")
    expect("release before" in ended.stderr, "it does not say what it has done")
    host.sh("systemctl stop reconciler")
    state(host, f"UPDATE alembic_version SET version_num = '{known}'")
    host.sh("systemctl reset-failed reconciler || true")
    restart(host)


@step("a removal takes it away while it runs, and leaves nothing but data")
def _remove(host: Host) -> None:
    said = host.sh("cd /src && sh deploy/install.sh --remove")
    expect("The program is gone" in said, "it does not say so")
    left = host.sh(
        "find / -xdev -path '*reconciler*' -not -path '/src/*' -not -path '/proc/*'"
        " -not -path '/opt/ilt-reconciler*' -not -path '/var/www/*' -not -path '/run/*' -not -path '/tmp/*'"
    )
    data = ("/etc/reconciler", "/var/lib/reconciler", "/etc/systemd/system/reconciler.service.d")
    # The rules were given to Prometheus by hand.
    strange = [one for one in left.splitlines() if not one.startswith((*data, "/etc/prometheus"))]
    expect(not strange, f"left: {strange}")
    expect(host.run("systemctl cat reconciler").returncode != 0, "the unit is still known")
