"""How many series there are does not depend on how many people there are, nor does anything name one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from reconciler.ledger.tables import connection, event, person_state
from reconciler.model import ConnectionState, State
from reconciler.ops import serving
from tests.support.house import NOW, HouseBed
from tests.support.listener import Listener

PEOPLE = 10_000
VENDORS = ["google", "microsoft", "caldav"]
SOON = datetime(2026, 12, 1, 9, tzinfo=UTC)


def test_with_ten_thousand_people_there_are_fewer_than_1500_series_and_no_address_among_them(
    house: HouseBed, port: int
) -> None:
    house.configure(
        providers={"caldav": {"allowed_hosts": ["dav.example.org"]}},
        accounts={"defaults": {"vendors": VENDORS}},
        ops={"listen": f"127.0.0.1:{port}"},
    )
    fill(house)
    assert house.push().result == "success"
    with serving(house.house):
        shown = Listener(port).get("/metrics").text
    series = [line for line in shown.splitlines() if not line.startswith("#")]
    assert 'reconciler_connections{provider="google",state="connected"} 834.0' in series
    assert 'reconciler_events{provider="microsoft",state="live"} 333.0' in series
    assert 'reconciler_mails_total{kind="notice",result="sent"} 0.0' in series
    begun = 'reconciler_token_refreshes_total{{provider="{}",result="ok"}} 0.0'
    assert [name for name in VENDORS if begun.format(name) in series] == VENDORS
    assert 800 < len(series) < 1500
    assert "@" not in shown


def fill(house: HouseBed) -> None:
    """Connections in every state at each vendor, and events in every state, of people whose ids are
    addresses. Nothing is desired of them, and that has been applied."""
    connected, standing = list(ConnectionState), list(State)
    states, connections, events = [], [], []
    for number in range(PEOPLE):
        whose = {"person": f"p{number:05}@example.org", "account": "acme"}
        vendor = VENDORS[number % 3]
        states.append({**whose, "applied": "", "next_audit": NOW + timedelta(days=1)})
        connections.append(
            {
                **whose,
                "provider": vendor,
                "subject": f"s{number}",
                "address": whose["person"],
                "calendar_id": whose["person"],
                "identity": f"i{number}",
                "state": connected[number // 3 % 4],
                "scopes": [],
            }
        )
        events.append(
            {
                **whose,
                "session": "1",
                "slot": 0,
                "provider": vendor,
                "role": "learner",
                "state": standing[number // 3 % 10],
                "generation": 0,
                "digest_time": "",
                "digest_content": "",
                "digest_form": "",
                "starts": SOON,
                "ends": SOON,
                "doomed": [],
            }
        )
    engine = sa.create_engine(f"sqlite:///{house.folder}/state.db")
    with engine.begin() as filled:
        for table, rows in ((person_state, states), (connection, connections), (event, events)):
            filled.execute(table.insert(), rows)
    engine.dispose()
