"""The application's role gets its password from the url it will log in with; anything else is refused in a sentence."""

import pytest

from infra import roles
from infra.migrate import MigrationError
from tests.conftest import Database


@pytest.mark.parametrize(
    "url", ["postgresql://rapport_app@db/rapport", "postgresql://somebody:secret@db/rapport", "postgresql:///rapport"]
)
async def test_a_url_without_the_role_and_a_password_is_refused(database: Database, url: str):
    with pytest.raises(MigrationError, match="names no password") as refused:
        await roles.set_password(database.admin_url, url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["postgresql://rapport_app:secret@db/rapport", "postgresql://rapport_writer@db/rapport"]
)
async def test_likewise_for_the_writer(database: Database, url: str):
    with pytest.raises(MigrationError, match="RAPPORT_WRITER_DATABASE_URL names no password of rapport_writer"):
        await roles.set_password(database.admin_url, url, role="rapport_writer")


async def test_who_may_not_change_the_role_is_told_so(database: Database):
    with pytest.raises(MigrationError, match="could not be given its password"):
        await roles.set_password("postgresql://nobody@127.0.0.1:1/nothing", database.app_url)
