"""The committed files in config/ are what the settings say, and they load."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS31Validator

from reconciler.model import Mode
from reconciler.settings import Cloud, load
from reconciler.settings.example import example, schema
from reconciler.settings.sections import Settings
from reconciler.settings.values import Section, sections_in

CONFIG = Path(__file__).parents[3] / "config"


def test_the_committed_example_is_what_the_settings_say() -> None:
    assert (CONFIG / "reconciler.example.yaml").read_text() == example(), "run: make config"


def test_the_committed_schema_is_what_the_settings_say() -> None:
    assert json.loads((CONFIG / "reconciler.schema.json").read_text()) == schema(), "run: make config"


def test_the_example_loads_as_it_is(folder: Path) -> None:
    shutil.copy(CONFIG / "reconciler.example.yaml", folder)
    assert load(folder / "reconciler.example.yaml").mode is Mode.SYNC


@pytest.mark.parametrize(("adapter", "other"), [("reference", "moodle"), ("moodle", "reference")])
@pytest.mark.parametrize("contradicting", ["secret_file", "certificate_file"])
def test_the_example_loads_with_everything_uncommented(
    folder: Path, adapter: str, other: str, contradicting: str
) -> None:
    text = re.sub(r"(?m)^( *)#(?=\S)", r"\1", example())
    values: dict[str, Any] = yaml.safe_load(text)
    values["lms"]["adapter"] = adapter
    values["lms"]["unregister"]["way"] = "ssh" if adapter == "moodle" else "tables"
    del values["lms"][other], values["providers"]["microsoft"][contradicting]
    (folder / "all.yaml").write_text(yaml.safe_dump(values))
    settings = load(folder / "all.yaml")
    assert settings.providers.microsoft
    assert settings.providers.microsoft.cloud is Cloud.GLOBAL


def sections(model: type[Section] = Settings) -> Iterator[type[Section]]:
    yield model
    for field in model.model_fields.values():
        for inner in sections_in(field.annotation):
            yield from sections(inner)


def test_every_key_describes_itself_and_tells_whether_a_reload_can_change_it() -> None:
    fields = {f"{s.__name__}.{n}": f for s in sections() for n, f in s.model_fields.items()}
    keys = {name: field for name, field in fields.items() if field.examples}
    assert not [name for name, field in fields.items() if not field.description]
    assert not [n for n, f in fields.items() if not f.examples and not sections_in(f.annotation)]
    for name, field in keys.items():
        extra = field.json_schema_extra
        assert isinstance(extra, dict), name
        assert extra["reload"] is not ("Needs a restart" in str(field.description)), name


def test_the_schema_accepts_the_example_and_names_what_is_wrong() -> None:
    validator = OAS31Validator(schema())
    assert not list(validator.iter_errors(yaml.safe_load(example())))
    wrong = {**yaml.safe_load(example()), "mode": "on", "intervals": {"push": "soon"}, "unknown": 1}
    assert len(list(validator.iter_errors(wrong))) == 3


def test_the_production_configuration_loads(folder: Path) -> None:
    shutil.copy(CONFIG / "reconciler.production.yaml", folder)
    settings = load(folder / "reconciler.production.yaml")
    assert settings.state.database.drivername == "postgresql+psycopg"
    assert settings.state.database.password == "secret of state-password"
    assert settings.mode is Mode.OBSERVE


def test_the_demo_configuration_loads_in_the_folder_the_demo_makes(tmp_path: Path) -> None:
    for name in ("token-key", "google-client-secret", "microsoft-client-secret", "ca.pem"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o600)
    shutil.copy(CONFIG / "reconciler.demo.yaml", tmp_path)
    settings = load(tmp_path / "reconciler.demo.yaml")
    assert Path(settings.lms.database.database or "").resolve() == tmp_path / "lms.db"
