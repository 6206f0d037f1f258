"""The page about imports says what is so."""

import re
from pathlib import Path

from domain.imports import TouchpointRow
from infra.imports.formats import FORMATS
from infra.imports.formats.table import LAYOUT
from tests.infra.imports.formats.files import outcomes

PAGE = (Path(__file__).parents[4] / "docs" / "imports.md").read_text(encoding="utf-8")


def test_the_example_of_our_table_is_taken():
    [example] = re.findall(r"```csv table\n(.*?)```", PAGE, flags=re.DOTALL)
    found = outcomes(example, named="table")
    assert len(found) == 4
    assert all(isinstance(outcome, TouchpointRow) for outcome in found), found


def test_each_format_and_each_column_is_on_the_page():
    assert [name for name in FORMATS if f"| `{name}` |" not in PAGE] == []
    assert [column for column in LAYOUT.names if f"`{column}`" not in PAGE] == []
