"""Mappings: a JMESPath expression that makes touchpoints of somebody else's JSON.

Its cost is bounded while it runs: every step is counted, a function by how much it reads, and whatever it makes is
weighed before it is made. So it takes a fraction of a second and a megabyte at most, whatever it says.
"""

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from jmespath.exceptions import JMESPathError, JMESPathTypeError, LexerError, ParseError
from jmespath.functions import Functions, signature
from jmespath.parser import Parser
from jmespath.visitor import Options, TreeInterpreter

from domain.errors import Invalid

LONGEST = 4_000
DEEPEST = 100
STEPS = 50_000
MADE = 1_000_000  # bytes, all together
LONGEST_TEXT = 64_000
LONGEST_NUMBER = 400
MOST_PARSED = 16  # expressions that are kept parsed

# What one step reads: about a microsecond's work, each.
ITEMS_A_STEP = 16
CHARACTERS_A_STEP = 256
# What things take in memory, in bytes.
LIST, ITEM, OBJECT, ENTRY, TEXT = 56, 8, 64, 110, 60


class TooCostly(JMESPathError):  # type: ignore[misc]
    """this mapping takes too many steps, or makes too much, on this payload"""


class _Parser(Parser):  # type: ignore[misc]
    """With a memory of its own, and a small one: an expression takes hundreds of times its length."""

    _CACHE: dict[str, Any] = {}  # noqa: RUF012 - the library's way
    _MAX_SIZE = MOST_PARSED


class _Budget:
    """What is left to one run: steps, and bytes it may make."""

    def __init__(self) -> None:
        self._steps = STEPS
        self._bytes = MADE

    def step(self, steps: int = 1) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise TooCostly

    def read(self, value: object) -> None:
        """Once over a text, or over the items of a list or an object but not into them."""
        if isinstance(value, str):
            self.step(len(value) // CHARACTERS_A_STEP)
        elif isinstance(value, list | dict):
            self.step(len(value) // ITEMS_A_STEP)

    def make(self, size: int) -> None:
        self._bytes -= size
        if self._bytes < 0:
            raise TooCostly

    def make_list(self, items: int) -> None:
        self.step(items // ITEMS_A_STEP)
        self.make(LIST + ITEM * items)

    def make_object(self, entries: int) -> None:
        self.step(entries // ITEMS_A_STEP)
        self.make(OBJECT + ENTRY * entries)

    def make_text(self, characters: int, *, wide: bool) -> None:
        """`wide` characters take four bytes each."""
        if characters > LONGEST_TEXT:
            raise TooCostly
        self.step(characters // CHARACTERS_A_STEP)
        self.make(TEXT + characters * (4 if wide else 1))

    def order(self, keys: Sequence[Any]) -> None:
        """To sort by these: each is compared as often as their number has binary digits."""
        for key in keys:
            self.read(key)
        each = sum(1 + len(key) // CHARACTERS_A_STEP if isinstance(key, str) else 1 for key in keys)
        self.step(each * len(keys).bit_length() // ITEMS_A_STEP)


class _Functions(Functions):  # type: ignore[misc]
    """Those of JMESPath, each within the budget, and `time`, as it has none for it."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget

    def call_function(self, function_name: str, resolved_args: list[Any]) -> object:
        for argument in resolved_args:
            self._budget.read(argument)
        return super().call_function(function_name, resolved_args)

    @signature({"types": ["number"]})  # type: ignore[untyped-decorator]
    def _func_time(self, since_1970: float) -> str | None:
        """Seconds or milliseconds since 1970 as a time; null for what is no time of this millennium or so."""
        if not 0 <= since_1970 < 32e12:
            return None
        seconds = since_1970 / 1000 if since_1970 > 1e11 else since_1970
        return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds < 32e9 else None

    @signature({"types": ["string"]}, {"types": ["array-string"]})  # type: ignore[untyped-decorator]
    def _func_join(self, separator: str, array: list[str]) -> str:
        self._budget.step(len(array) // ITEMS_A_STEP)
        length = sum(map(len, array)) + len(separator) * max(0, len(array) - 1)
        self._budget.make_text(length, wide=not (separator.isascii() and all(map(str.isascii, array))))
        return separator.join(array)

    @signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_to_string(self, value: object) -> str:
        return value if isinstance(value, str) else "".join(self._written(value))

    def _written(self, value: object, depth: int = 0) -> Iterator[str]:
        """As JSON, piece by piece."""
        if depth > DEEPEST:
            raise TooCostly
        if isinstance(value, list):
            yield from self._enclosed("[]", (self._written(one, depth + 1) for one in value))
        elif isinstance(value, dict):
            pairs = value.items()
            yield from self._enclosed("{}", (self._pair(name, self._written(one, depth + 1)) for name, one in pairs))
        else:
            yield self._weighed(self._plain(value))

    def _enclosed(self, brackets: str, parts: Iterator[Iterator[str]]) -> Iterator[str]:
        yield self._weighed(brackets[0])
        for n, part in enumerate(parts):
            if n:
                yield ","
            yield from part
        yield brackets[1]

    def _pair(self, name: str, value: Iterator[str]) -> Iterator[str]:
        yield self._weighed(self._plain(name))
        yield ":"
        yield from value

    def _plain(self, value: object) -> str:
        if isinstance(value, str):
            self._budget.make_text(len(value), wide=False)
        elif not isinstance(value, int | float | None):
            raise JMESPathTypeError("to_string", value, "expref", ["any"])
        return json.dumps(value)

    def _weighed(self, piece: str) -> str:
        """A piece counts twice, as it is joined: so the whole is no longer than it may be."""
        self._budget.step()
        self._budget.make(TEXT + 2 * len(piece))
        return piece

    @signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_to_number(self, value: object) -> object:
        if isinstance(value, str):
            return self._number(value)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def _number(self, text: str) -> int | float | None:
        """What JSON has as a number; null for any other text, such as one with more digits than any number has."""
        written = text.strip() if len(text) <= LONGEST_NUMBER else ""
        try:
            found = json.loads(written) if written[:1].isdigit() or written[:1] == "-" else None
            return found if isinstance(found, int | float) and math.isfinite(float(found)) else None
        except (ValueError, OverflowError):
            return None

    @signature({"types": ["array", "string"]}, {"types": []})  # type: ignore[untyped-decorator]
    def _func_contains(self, subject: list[Any] | str, search: object) -> bool:
        if isinstance(subject, list):
            return any(same(one, search, self._budget) for one in subject)
        if not isinstance(search, str):
            return False
        self._budget.step(len(subject) * min(len(search), 100) // (8 * CHARACTERS_A_STEP))
        return search in subject

    @signature({"types": ["array", "string"]})  # type: ignore[untyped-decorator]
    def _func_reverse(self, value: list[Any] | str) -> list[Any] | str:
        if isinstance(value, str):
            self._budget.make_text(len(value), wide=not value.isascii())
        else:
            self._budget.make_list(len(value))
        return value[::-1]

    @signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_to_array(self, value: object) -> list[Any]:
        if isinstance(value, list):
            return value
        self._budget.make_list(1)
        return [value]

    @signature({"types": ["object"], "variadic": True})  # type: ignore[untyped-decorator]
    def _func_merge(self, *objects: dict[str, Any]) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for one in objects:
            self._budget.make_object(len(one))
            merged.update(one)
        return merged

    @signature({"types": ["object"]})  # type: ignore[untyped-decorator]
    def _func_keys(self, value: dict[str, Any]) -> list[str]:
        self._budget.make_list(len(value))
        return list(value)

    @signature({"types": ["object"]})  # type: ignore[untyped-decorator]
    def _func_values(self, value: dict[str, Any]) -> list[Any]:
        self._budget.make_list(len(value))
        return list(value.values())

    @signature({"types": ["expref"]}, {"types": ["array"]})  # type: ignore[untyped-decorator]
    def _func_map(self, expression: Any, array: list[Any]) -> list[Any]:
        self._budget.make_list(len(array))
        return [expression.visit(expression.expression, one) for one in array]

    @signature({"types": ["array-string", "array-number"]})  # type: ignore[untyped-decorator]
    def _func_sort(self, array: list[Any]) -> list[Any]:
        self._budget.order(array)
        self._budget.make_list(len(array))
        return sorted(array)

    @signature({"types": ["array-number", "array-string"]})  # type: ignore[untyped-decorator]
    def _func_max(self, array: list[Any]) -> object:
        self._budget.order(array)
        return max(array, default=None)

    @signature({"types": ["array-number", "array-string"]})  # type: ignore[untyped-decorator]
    def _func_min(self, array: list[Any]) -> object:
        self._budget.order(array)
        return min(array, default=None)

    @signature({"types": ["array"]}, {"types": ["expref"]})  # type: ignore[untyped-decorator]
    def _func_sort_by(self, array: list[Any], expression: Any) -> list[Any]:
        keys = self._keys("sort_by", array, expression)
        self._budget.make_list(2 * len(array))
        return [array[n] for n in sorted(range(len(array)), key=keys.__getitem__)]

    @signature({"types": ["array"]}, {"types": ["expref"]})  # type: ignore[untyped-decorator]
    def _func_max_by(self, array: list[Any], expression: Any) -> object:
        keys = self._keys("max_by", array, expression)
        return array[max(range(len(array)), key=keys.__getitem__)] if array else None

    @signature({"types": ["array"]}, {"types": ["expref"]})  # type: ignore[untyped-decorator]
    def _func_min_by(self, array: list[Any], expression: Any) -> object:
        keys = self._keys("min_by", array, expression)
        return array[min(range(len(array)), key=keys.__getitem__)] if array else None

    def _keys(self, name: str, array: list[Any], expression: Any) -> list[Any]:
        """What the array is ordered by: numbers, or texts. Raises JMESPathTypeError for anything else."""
        self._budget.make_list(len(array))
        keys = [expression.visit(expression.expression, one) for one in array]
        kinds = {self._convert_to_jmespath_type(type(key).__name__) for key in keys}
        if not (kinds <= {"number"} or kinds <= {"string"}):
            raise JMESPathTypeError(name, None, "mixed", ["number", "string"])
        self._budget.order(keys)
        return keys


def same(one: object, other: object, budget: _Budget) -> bool:
    """Whether they are equal as JSON has it, within the budget: what is shared is read as often as it stands there."""
    waiting = [(one, other)]
    while waiting:
        left, right = waiting.pop()
        budget.step()
        if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
            budget.make_list(len(left))
            waiting += zip(left, right, strict=True)
        elif isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
            budget.make_list(len(left))
            waiting += [(value, right[name]) for name, value in left.items()]
        elif isinstance(left, str) and isinstance(right, str):
            budget.read(left)
            if left != right:
                return False
        elif isinstance(left, list | dict | bool) or isinstance(right, list | dict | bool):
            if left is not right:
                return False
        elif left != right:
            return False
    return True


class _Bounded(TreeInterpreter):  # type: ignore[misc]
    """Spends a budget on each part of the expression."""

    def __init__(self, budget: _Budget) -> None:
        super().__init__(Options(custom_functions=_Functions(budget)))
        self._budget = budget

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._budget.step()
        return super().visit(node, *args, **kwargs)

    def visit_comparator(self, node: Any, value: Any) -> bool | None:
        left, right = (self.visit(child, value) for child in node["children"])
        if node["value"] in ("eq", "ne"):
            equal = same(left, right, self._budget)
            return equal if node["value"] == "eq" else not equal
        if not (_is_ordered(left) and _is_ordered(right) and isinstance(left, str) == isinstance(right, str)):
            return None
        self._budget.read(left)
        ordered: bool = self.COMPARATOR_FUNC[node["value"]](left, right)
        return ordered

    def visit_multi_select_list(self, node: Any, value: Any) -> list[Any] | None:
        if value is not None:
            self._budget.make_list(len(node["children"]))
        return super().visit_multi_select_list(node, value)  # type: ignore[no-any-return]

    def visit_multi_select_dict(self, node: Any, value: Any) -> dict[str, Any] | None:
        if value is not None:
            self._budget.make_object(len(node["children"]))
        return super().visit_multi_select_dict(node, value)  # type: ignore[no-any-return]

    def visit_flatten(self, node: Any, value: Any) -> list[Any] | None:
        found = self.visit(node["children"][0], value)
        if not isinstance(found, list):
            return None
        self._budget.make_list(len(found))
        flat: list[Any] = []
        for one in found:
            inner = one if isinstance(one, list) else [one]
            self._budget.make_list(len(inner))
            flat += inner
        return flat

    def visit_slice(self, node: Any, value: Any) -> list[Any] | None:
        if not isinstance(value, list):
            return None
        self._budget.make_list(len(value))
        return value[slice(*node["children"])]

    def visit_projection(self, node: Any, value: Any) -> list[Any] | None:
        found, each = self.visit(node["children"][0], value), node["children"][1]
        return self._projected(found, each) if isinstance(found, list) else None

    def visit_value_projection(self, node: Any, value: Any) -> list[Any] | None:
        found, each = self.visit(node["children"][0], value), node["children"][1]
        return self._projected(list(found.values()), each) if isinstance(found, dict) else None

    def visit_filter_projection(self, node: Any, value: Any) -> list[Any] | None:
        found = self.visit(node["children"][0], value)
        if not isinstance(found, list):
            return None
        _, each, condition = node["children"]
        return self._projected((one for one in found if self._is_true(self.visit(condition, one))), each)

    def _projected(self, values: Iterator[Any] | list[Any], each: Any) -> list[Any]:
        self._budget.make_list(0)
        projected = []
        for one in values:
            self._budget.make(2 * ITEM)
            if (found := self.visit(each, one)) is not None:
                projected.append(found)
        return projected


def _is_ordered(value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


def check(mapping: str, *, field: str = "mapping") -> None:
    """Raises Invalid, with the place in the expression, for what is no JMESPath or calls what is not there."""
    _parsed(mapping, field)


def run(mapping: str, payload: object) -> object:
    """What the mapping makes of the payload, its nulls dropped. Raises Invalid with what went wrong."""
    parsed = _parsed(mapping, "mapping")
    budget = _Budget()
    try:
        return _copied(_Bounded(budget).visit(parsed, payload), budget, 0)
    except TooCostly as error:
        raise Invalid((TooCostly.__doc__ or "").strip(), field="mapping") from error
    except JMESPathError as error:
        raise Invalid(f"the mapping does not fit this payload: {_said(error)}", field="mapping") from error
    except (RecursionError, TypeError, ValueError, ArithmeticError) as error:
        raise Invalid("the mapping does not fit this payload", field="mapping") from error


def _copied(value: object, budget: _Budget, depth: int) -> object:
    """Without nulls, and no part shared: whatever is done with it costs what was weighed here. Raises TooCostly, and
    ValueError or TypeError for what is no JSON."""
    budget.step()
    if depth > DEEPEST:
        raise TooCostly
    if isinstance(value, dict):
        budget.make_object(len(value))
        said = {name: inner for name, inner in value.items() if inner is not None}
        return {_sound(name, budget): _copied(inner, budget, depth + 1) for name, inner in said.items()}
    if isinstance(value, list):
        budget.make_list(len(value))
        return [_copied(inner, budget, depth + 1) for inner in value]
    if isinstance(value, str):
        return _sound(value, budget)
    if not isinstance(value, int | float | None):
        raise TypeError
    if isinstance(value, int | float) and not math.isfinite(float(value)):
        raise ValueError
    return value


def _sound(text: str, budget: _Budget) -> str:
    budget.make_text(len(text), wide=not text.isascii())
    if not text.isascii():
        text.encode()
    return text


def _parsed(mapping: str, field: str) -> dict[str, Any]:
    if not mapping.strip() or len(mapping) > LONGEST:
        raise Invalid(f"a mapping is a JMESPath expression of at most {LONGEST:,} characters", field=field)
    try:
        parsed: dict[str, Any] = _Parser().parse(mapping).parsed
        functions, depth = _looked_through(parsed)
    except LexerError as error:
        raise Invalid(f"at character {error.lexer_position + 1}: {error.message}", field=field) from error
    except ParseError as error:
        place = "at its end" if error.lex_position >= len(mapping) else f"at character {error.lex_position + 1}"
        raise Invalid(f"{place}: this is no JMESPath expression", field=field) from error
    except (JMESPathError, RecursionError, ValueError) as error:
        raise Invalid("this is no JMESPath expression", field=field) from error
    if depth > DEEPEST:
        raise Invalid(f"this expression is nested deeper than {DEEPEST} levels", field=field)
    if unknown := sorted(functions - _Functions.FUNCTION_TABLE.keys()):
        raise Invalid(f"at character {mapping.find(unknown[0]) + 1}: there is no function {unknown[0]}", field=field)
    return parsed


def _looked_through(parsed: dict[str, Any]) -> tuple[set[str], int]:
    """The functions it calls, and how deep it is nested."""
    functions: set[str] = set()
    level, depth = [parsed], 0
    while level:
        depth += 1
        functions.update(str(node["value"]) for node in level if node.get("type") == "function_expression")
        level = [child for node in level for child in node.get("children") or () if isinstance(child, dict)]
    return functions, depth


def _said(error: JMESPathError) -> str:
    """One line, without the values: they may be personal."""
    name = getattr(error, "function_name", None)
    return f"{name}() does not take what it is given" if name else type(error).__name__
