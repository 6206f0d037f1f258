"""Mappings: a JMESPath expression that makes touchpoints of somebody else's JSON. Its cost is bounded."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, LexerError, ParseError
from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter

from domain.errors import Invalid

LONGEST = 4_000
STEPS = 100_000
SIZE = 20_000
LONGEST_TEXT = 64_000


class TooCostly(JMESPathError):  # type: ignore[misc]
    """this mapping takes too many steps, or makes too much, on this payload"""


class _Functions(Functions):  # type: ignore[misc]
    """Those of JMESPath, and `time`, as it has none for it: seconds or milliseconds since 1970 as a time."""

    @signature({"types": ["number"]})  # type: ignore[untyped-decorator]
    def _func_time(self, since_1970: float) -> str | None:
        seconds = since_1970 / 1000 if since_1970 > 1e11 else since_1970
        return datetime.fromtimestamp(seconds, UTC).isoformat() if 0 <= seconds < 32e9 else None


class _Bounded(TreeInterpreter):  # type: ignore[misc]
    """Counts what it does, and weighs what comes out of each part of the expression, shared parts each time."""

    def __init__(self) -> None:
        super().__init__(Options(custom_functions=_Functions()))
        self._left = STEPS
        self._weights: dict[int, tuple[object, int]] = {}

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        found = super().visit(node, *args, **kwargs)
        self._left -= 1 + (len(found) if isinstance(found, list | dict) else 0)
        if self._left < 0 or self._weight(found) > SIZE:
            raise TooCostly
        return found

    def _weight(self, value: object) -> int:
        if isinstance(value, str):
            return SIZE + 1 if len(value) > LONGEST_TEXT else 1
        if not isinstance(value, list | dict):
            return 1
        _, known = self._weights.get(id(value), (None, 0))
        if not known:
            inner = value.values() if isinstance(value, dict) else value
            known = 1 + sum(map(self._weight, inner))
            self._weights[id(value)] = value, known
        return known


def check(mapping: str, *, field: str = "mapping") -> None:
    """Raises Invalid, with the place in the expression, for what is no JMESPath or calls what is not there."""
    _parsed(mapping, field)


def run(mapping: str, payload: object) -> object:
    """What the mapping makes of the payload, its nulls dropped. Raises Invalid with what went wrong."""
    parsed = _parsed(mapping, "mapping")
    try:
        return without_nulls(_Bounded().visit(parsed, payload))
    except TooCostly as error:
        raise Invalid((TooCostly.__doc__ or "").strip(), field="mapping") from error
    except JMESPathError as error:
        raise Invalid(f"the mapping does not fit this payload: {_said(error)}", field="mapping") from error
    except (RecursionError, TypeError, ValueError, ArithmeticError) as error:
        raise Invalid("the mapping does not fit this payload", field="mapping") from error


def without_nulls(value: object) -> object:
    if not isinstance(value, dict | list | str | int | float | None):
        raise TypeError
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _parsed(mapping: str, field: str) -> dict[str, Any]:
    if not mapping.strip() or len(mapping) > LONGEST:
        raise Invalid(f"a mapping is a JMESPath expression of at most {LONGEST:,} characters", field=field)
    try:
        parsed: dict[str, Any] = jmespath.compile(mapping).parsed
        unknown = sorted(set(_functions(parsed)) - _Functions.FUNCTION_TABLE.keys())
    except LexerError as error:
        raise Invalid(f"at character {error.lexer_position + 1}: {error.message}", field=field) from error
    except ParseError as error:
        place = "at its end" if error.lex_position >= len(mapping) else f"at character {error.lex_position + 1}"
        raise Invalid(f"{place}: this is no JMESPath expression", field=field) from error
    except (JMESPathError, RecursionError, ValueError) as error:
        raise Invalid("this is no JMESPath expression", field=field) from error
    if unknown:
        raise Invalid(f"at character {mapping.find(unknown[0]) + 1}: there is no function {unknown[0]}", field=field)
    return parsed


def _functions(parsed: dict[str, Any]) -> Iterator[str]:
    waiting: list[object] = [parsed]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("type") == "function_expression":
                yield str(node["value"])
            waiting += node.get("children") or []


def _said(error: JMESPathError) -> str:
    """One line, without the values: they may be personal."""
    name = getattr(error, "function_name", None)
    return f"{name}() does not take what it is given" if name else type(error).__name__
