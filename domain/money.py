"""Amounts of money: decimal text with exactly the places of its currency; never a float, never two currencies added."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, ClassVar
from uuid import UUID

from iso4217 import Currency
from msgspec import Meta, Struct

from domain.errors import Invalid, Refused
from domain.event import Event

STREAM = "tenant"
SETTLED_ID = UUID("6f0f5d0e-63c0-4c7c-8f4e-6e1f0a6c1a05")  # of the event: a tenant's currency is settled once
MOST_DIGITS = 15
_AMOUNT = re.compile(r"([0-9]+)(?:\.([0-9]+))?", flags=re.ASCII)

Amount = Annotated[str, Meta(max_length=24, examples=["1250.00"])] | Annotated[int, Meta(ge=0, le=10**MOST_DIGITS - 1)]
CurrencyCode = Annotated[str, Meta(min_length=3, max_length=3, examples=["EUR"])]


class CurrencySettled(Event, frozen=True, kw_only=True):
    """The currency of the tenant's first value, and so of all that follow: totals never add two."""

    TYPE: ClassVar[str] = "currency.settled"
    currency: str

    @property
    def stream(self) -> str:
        return STREAM


class Money(Struct, frozen=True):
    """`amount` as text with the places of its currency: `1250.00` EUR, `1250` JPY."""

    amount: str
    currency: str

    @property
    def exact(self) -> Decimal:
        return Decimal(self.amount)


def money(amount: str | int | None, currency: str | None) -> Money | None:
    """What a person wrote, in its one form; None where neither is given. Raises Invalid."""
    if amount is None and currency is None:
        return None
    if currency is None:
        raise Invalid("a value goes with its currency", field="currency")
    if amount is None:
        raise Invalid("a currency goes with a value", field="value")
    known = _currency(currency)
    return Money(_written(str(amount).strip(), known), known.code)


def _currency(code: str) -> Currency:
    try:
        known = Currency(code.upper())
    except ValueError:
        raise Invalid("this is no ISO 4217 currency such as EUR or USD", field="currency") from None
    if known.exponent is None:
        raise Invalid(f"{known.code} is no money that is counted", field="currency")
    return known


def _written(amount: str, currency: Currency) -> str:
    if amount.startswith("-"):
        raise Invalid("a value is not negative", field="value")
    found = _AMOUNT.fullmatch(amount)
    if found is None:
        raise Invalid('write the value as digits with a decimal point, such as "1250.00"', field="value")
    whole, places = found[1].lstrip("0") or "0", found[2] or ""
    if len(whole) > MOST_DIGITS:
        raise Invalid(f"a value has at most {MOST_DIGITS} digits before the point", field="value")
    if len(places) > (currency.exponent or 0):
        raise Invalid(f"{currency.code} has {currency.exponent or 'no'} decimal places", field="value")
    return _placed(Decimal(f"{whole}.{places or 0}"), currency)


def _placed(amount: Decimal, currency: Currency) -> str:
    return f"{amount:.{currency.exponent}f}"


def total(amounts: Iterable[Decimal | None], currency: str | None) -> str | None:
    """The sum of amounts of one currency as text; None where there is no currency yet, and so no amount."""
    if currency is None:
        return None
    return _placed(sum((amount for amount in amounts if amount is not None), Decimal(0)), Currency(currency))


def split(amount: Decimal, weights: Sequence[float], currency: str) -> list[Decimal]:
    """The amount in parts by weight, to the smallest coin, which sum to it: by largest remainders, the first of equals.

    Weights are above 0.
    """
    coin = Decimal(1).scaleb(-(Currency(currency).exponent or 0))
    coins, whole = int(amount / coin), sum(map(Fraction, weights))
    exact = [coins * Fraction(weight) / whole for weight in weights]
    parts = [int(part) for part in exact]
    for n in sorted(range(len(exact)), key=lambda n: parts[n] - exact[n])[: coins - sum(parts)]:
        parts[n] += 1
    return [part * coin for part in parts]


def evolve(currency: str | None, event: Event) -> str | None:
    """The tenant's currency."""
    return event.currency if isinstance(event, CurrencySettled) and currency is None else currency


def settle(value: Money, currency: str | None) -> list[CurrencySettled]:
    """The first value settles the tenant's currency. Raises Refused for a value in another one."""
    if currency is None:
        return [CurrencySettled(currency=value.currency)]
    if value.currency != currency:
        raise Refused(
            f"this business counts in {currency}: a value in {value.currency} cannot be added to the others",
            field="currency",
        )
    return []
