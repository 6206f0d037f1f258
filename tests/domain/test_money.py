"""Money is exact: one written form, the places of its currency, one currency a tenant."""

import pytest

from domain import money
from domain.errors import Invalid, Refused
from domain.money import CurrencySettled, Money


@pytest.mark.parametrize(
    ("value", "currency", "written"),
    [
        ("1250", "EUR", "1250.00"),
        ("1250.5", "EUR", "1250.50"),
        ("0", "USD", "0.00"),
        ("007.10", "usd", "7.10"),
        (1250, "EUR", "1250.00"),
        ("1250", "JPY", "1250"),
        ("1.234", "KWD", "1.234"),
        ("999999999999999.99", "EUR", "999999999999999.99"),
    ],
)
def test_an_amount_has_one_form(value: str | int, currency: str, written: str):
    assert money.money(value, currency) == Money(written, currency.upper())


@pytest.mark.parametrize(
    ("value", "currency", "field", "reason"),
    [
        ("-1", "EUR", "value", "not negative"),
        (-1, "EUR", "value", "not negative"),
        ("1.234", "EUR", "value", "EUR has 2 decimal places"),
        ("1.5", "JPY", "value", "JPY has no decimal places"),
        ("1,250", "EUR", "value", "digits with a decimal point"),
        ("1e3", "EUR", "value", "digits with a decimal point"),
        ("NaN", "EUR", "value", "digits with a decimal point"),
        ("", "EUR", "value", "digits with a decimal point"),
        ("1_000", "EUR", "value", "digits with a decimal point"),
        ("١٢", "EUR", "value", "digits with a decimal point"),
        ("1000000000000000", "EUR", "value", "at most 15 digits"),
        ("5", "EURO", "currency", "ISO 4217"),
        ("5", "ABC", "currency", "ISO 4217"),
        ("5", "XAU", "currency", "no money"),
        ("5", None, "currency", "goes with"),
        (None, "EUR", "value", "goes with"),
    ],
)
def test_what_is_no_money_is_refused_in_words(value: str | int | None, currency: str | None, field: str, reason: str):
    with pytest.raises(Invalid, match=reason) as refused:
        money.money(value, currency)
    assert refused.value.field == field


def test_nothing_said_is_no_money():
    assert money.money(None, None) is None


def test_the_first_value_settles_the_currency_and_another_is_refused():
    [settled] = money.settle(Money("5.00", "EUR"), None)
    assert settled == CurrencySettled(currency="EUR")
    assert money.evolve(None, settled) == "EUR"
    assert money.settle(Money("7.00", "EUR"), "EUR") == []
    with pytest.raises(Refused, match="counts in EUR") as refused:
        money.settle(Money("7.00", "USD"), "EUR")
    assert refused.value.field == "currency"


def test_a_currency_is_settled_once():
    assert money.evolve("EUR", CurrencySettled(currency="USD")) == "EUR"
