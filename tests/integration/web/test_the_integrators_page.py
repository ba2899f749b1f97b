"""What the page for integrators says can be copied and works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from reconciler.web.launch import _REQUIRED
from tests.support.pages import PUBLIC, SECRET, Pages

PAGE = (Path(__file__).parents[3] / "docs" / "connect-from-your-lms.md").read_text("utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.S)
    assert found
    return found[1]


@pytest.fixture
def now(pages: Pages) -> None:
    """The examples take the time of the machine."""
    pages.bed.clock.now = datetime.now(UTC)


def opens(pages: Pages, link: str) -> str:
    """Where this link leads, once its button is pressed."""
    assert link.startswith(f"{PUBLIC}/launch?token=")
    return pages.browser().open(link).press("Open my calendar settings").answer.url


@pytest.mark.usefixtures("now")
def test_the_example_in_python_lets_people_and_owners_in(pages: Pages) -> None:
    space: dict[str, object] = {"SECRET": SECRET}
    exec(block("python"), space)
    make = space["calendar_link"]
    assert callable(make)
    assert opens(pages, make("ana")) == f"{PUBLIC}/"
    assert opens(pages, make("ben", owner=True)) == f"{PUBLIC}/account"


@pytest.mark.usefixtures("now")
def test_the_example_in_php_lets_people_and_owners_in(pages: Pages) -> None:
    php = shutil.which("php")
    if php is None:
        assert os.environ.get("CI") != "true", "no php for tests: apt-get install php-cli"
        pytest.skip("no php for tests: apt-get install php-cli")
    program = f"const SECRET = {SECRET!r};".replace('"', "'").replace("Acme's", "Acme\\'s")
    for call, home in (("'ana'", "/"), ("'ben', true", "/account")):
        code = f"{program}\n{block('php')}\necho calendar_link({call});"
        made = subprocess.run([php, "-r", code], capture_output=True, text=True, check=True)
        assert opens(pages, made.stdout) == f"{PUBLIC}{home}"


def test_the_examples_are_ten_lines_of_code() -> None:
    lines = [line for line in block("python").splitlines() if line.strip()]
    assert len(lines) <= 10


def test_every_claim_that_is_required_is_explained() -> None:
    table = PAGE[PAGE.index("| claim |") : PAGE.index("In Python")]
    assert {claim for claim in _REQUIRED if f"`{claim}`" not in table} == set()


def test_the_key_in_the_example_is_one_the_settings_take(pages: Pages) -> None:
    found = re.search(r"\n((?:    .*\n)*    web:\n(?:    .*\n)+)", PAGE)
    assert found
    given = yaml.safe_load("\n".join(line[4:] for line in found[1].splitlines()))
    (pages.bed.folder / "acme-launch-secret-2026").write_text(SECRET)
    (pages.bed.folder / "acme-launch-secret-2026").chmod(0o600)
    pages.bed.configure(web={"launch_keys": given["web"]["launch_keys"]})
    assert pages.site.launch_keys["acme-2026"].account == "acme"
