import base64
from pathlib import Path

import pytest

from infra import settings
from infra.settings import SettingsError

KEY = base64.b64encode(bytes(range(32))).decode()
OWN = {
    "RAPPORT_DATABASE_URL": "postgresql://rapport_app:secret@db/rapport",
    "RAPPORT_REDIS_URL": "redis://valkey:6379/0",
    "RAPPORT_MASTER_KEY": KEY,
}
DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def test_nothing_set_means_embedded_servers_and_the_defaults():
    typed = settings.typed({"PATH": "/bin", "RAPPORT_TEST_DATABASE_URL": "postgresql://ignored"})
    assert (typed.host, typed.port, typed.log_level, typed.database_url) == ("127.0.0.1", 8000, "info", None)
    assert typed.data == Path(".rapport").resolve()


def test_values_are_converted():
    found = settings.load({**OWN, "RAPPORT_PORT": "8010", "RAPPORT_DATA": "~/rapport"})
    assert (found.port, found.data, found.master_key) == (8010, Path.home() / "rapport", bytes(range(32)))


def test_an_empty_variable_is_as_if_it_were_not_set():
    assert settings.typed({"RAPPORT_PORT": ""}).port == 8000


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RAPPORT_PROT", "8000", "RAPPORT_PROT is not a setting. Did you mean RAPPORT_PORT?"),
        ("RAPPORT_port", "8000", "RAPPORT_port is not a setting. Did you mean RAPPORT_PORT?"),
        ("RAPPORT_WEATHER", "fine", "RAPPORT_WEATHER is not a setting. See"),
        ("RAPPORT_PORT", "eighty", "RAPPORT_PORT cannot be used"),
        ("RAPPORT_PORT", "70000", "RAPPORT_PORT cannot be used"),
        ("RAPPORT_LOG_LEVEL", "loud", "debug, info, warning or error"),
        ("RAPPORT_DATABASE_URL", "mysql://db", "RAPPORT_DATABASE_URL cannot be used"),
        ("RAPPORT_MASTER_KEY", "c2hvcnQ=", "RAPPORT_MASTER_KEY cannot be used"),
        ("RAPPORT_MASTER_KEY", "not base64", "RAPPORT_MASTER_KEY cannot be used"),
        ("RAPPORT_MASTER_KEY", "", "RAPPORT_MASTER_KEY is missing"),
        ("RAPPORT_REDIS_URL", "", "RAPPORT_REDIS_URL is missing"),
    ],
)
def test_a_refusal_names_the_variable_as_it_was_typed(name, value, says):
    with pytest.raises(SettingsError) as refused:
        settings.load({**OWN, name: value})
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "name",
    ["RAPPORT_DATABASE_URL", "RAPPORT_REDIS_URL", "RAPPORT_WRITER_DATABASE_URL", "RAPPORT_ADMIN_DATABASE_URL"],
)
def test_own_servers_are_named_both_or_not_at_all(name):
    with pytest.raises(SettingsError, match="in part"):
        settings.typed({name: OWN.get(name, "postgresql://db")})


@pytest.mark.parametrize(
    ("given", "derived"),
    [
        ("postgresql://rapport_app:a%40b@db:5432/rapport?x=1", "postgresql://rapport_writer:a%40b@db:5432/rapport?x=1"),
        ("postgresql://rapport_app@/rapport?host=/run", "postgresql://rapport_writer@/rapport?host=/run"),
        ("postgresql://rapport_app:rapport_app@rapport_app/rapport_app", "postgresql://rapport_writer:rapport_app@rapport_app/rapport_app"),
        ("postgresql://postgres:secret@db/rapport", "postgresql://postgres:secret@db/rapport"),
        ("postgresql:///rapport", "postgresql:///rapport"),
    ],
)  # fmt: skip
def test_the_writer_logs_in_as_its_own_role_with_the_applications_password_unless_it_has_one(given, derived):
    own = {**OWN, "RAPPORT_DATABASE_URL": given}
    assert settings.load(own).writer_url == derived
    named = settings.load({**own, "RAPPORT_WRITER_DATABASE_URL": "postgresql://rapport_writer:other@db/rapport"})
    assert named.writer_url == "postgresql://rapport_writer:other@db/rapport"
    assert settings.load(settings.environment(named)) == named


def test_migrations_run_as_the_application_where_no_other_role_is_named():
    assert settings.load(OWN).admin_url == OWN["RAPPORT_DATABASE_URL"]
    assert settings.load({**OWN, "RAPPORT_ADMIN_DATABASE_URL": "postgresql://admin@db"}).admin_url.endswith("admin@db")


def test_another_process_loads_the_same_settings_from_the_environment_made_of_them():
    found = settings.load({**OWN, "RAPPORT_PORT": "8010"})
    assert settings.load(settings.environment(found)) == found


def test_no_secret_is_shown():
    assert "secret" not in repr(settings.load(OWN))


@pytest.mark.parametrize(("host", "address"), [("0.0.0.0", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000")])
def test_the_address_can_be_opened(host, address):
    assert settings.typed({"RAPPORT_HOST": host}).address == address


def test_every_setting_has_a_meaning_and_is_documented():
    names = {settings.variable(field) for field in settings.Settings.__struct_fields__}
    assert set(settings.MEANING) == names
    text = DOCS.read_text()
    assert [name for name in names if f"`{name}`" not in text] == []
    assert [meaning for meaning in settings.MEANING.values() if meaning.partition(";")[0] not in text] == []
