"""Many people in the reference tables at once, made by the database itself."""

from __future__ import annotations

import sqlalchemy as sa

from tests.support.reference_lms import ReferenceSite

_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
    " SELECT i FROM n",
    "postgresql": "SELECT generate_series(0, {last}) AS i",
    "mariadb": "SELECT seq AS i FROM seq_0_to_{last}",
}
_WORDS = {"sqlite": "'{0}' || {1}", "postgresql": "'{0}' || {1}", "mariadb": "CONCAT('{0}', {1})"}


def add_crowd(site: ReferenceSite, sessions: int, people: int) -> None:
    """People of whom each has a seat in two of this many sessions, ``s0`` and so on, which are there."""
    kind = "mariadb" if site.engine.dialect.name == "mysql" else site.engine.dialect.name
    numbers = _NUMBERS[kind].format(last=people - 1)
    word = _WORDS[kind].format
    statements = [
        "INSERT INTO people (id, account_id, email, name, locale, identity, active)"
        f" SELECT {word('p', 'i')}, 'acme', '', '', 'en', {word('.' * 150, 'i')}, '1'"
        f" FROM ({numbers}) numbers"
    ]
    statements += [
        "INSERT INTO seats (seat_ref, session_id, person_id, role, status)"
        f" SELECT {word(f'{nth}-', 'i')}, {word('s', f'((i + {nth}) % {sessions})')}, {word('p', 'i')},"
        f" 'learner', 'booked' FROM ({numbers}) numbers"
        for nth in (0, 1)
    ]
    with site.engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
