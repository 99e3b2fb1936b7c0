"""A formula's text becomes its tree, by recursive descent; nothing is ever evaluated as Python.

    formula     sum [("<" | "<=" | ">" | ">=") sum]           1 where it holds, else 0
    sum         product {("+" | "-") product}
    product     signed {("*" | "/") signed}
    signed      "-" signed | "+" signed | power
    power       atom [("^" | "**") signed]                     groups to the right; -x^2 is -(x^2)
    atom        number | name | function "(" formula {"," formula} ")" | "(" formula ")"

`step(u)` is short for `u > 0`, `gelu(u)` for `u * Phi(u)`; functions.py:SHORT has them all. Anything else is answered with
the place in the text and, for a misspelt name, with the nearest ones.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

from whet.activations.expression.functions import ALIASES, CONSTANTS, FUNCTIONS, SHORT, Function
from whet.activations.expression.nodes import Node, Number, call, name, number, replace
from whet.errors import RecipeError, did_you_mean, nearest

LONGEST = 2000
"""Characters in a formula."""
DEEPEST = 50
"""Parentheses, signs and powers within each other."""
TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>(?!\d)[^\W²³]+)|(?P<symbol>\*\*|<=|>=|[-+*/^(),<>])"
)
HINTS = {
    **dict.fromkeys("·×", "Multiplication is written with *."),
    **dict.fromkeys("²³", "Powers are written with ^."),
    **dict.fromkeys("[]{}", "Parentheses are round."),
    "÷": "Division is written with /.",
    "−": "Minus is written with -.",
    "√": "The square root is sqrt(u).",
    "|": "The absolute value is abs(u).",
    "=": "Comparisons are < <= > >=.",
}
"""What to write in place of signs that other notations have."""
SYMBOLS = {"+": "add", "-": "sub", "*": "mul", "/": "div"}


@dataclass(frozen=True)
class Token:
    """A piece of the text: its kind (number, name, symbol, end), the piece itself, and where it begins."""

    kind: str
    text: str
    at: int


def parse(text: str, names: Collection[str] | None = None, *, functions: Mapping[str, Function] = FUNCTIONS) -> Node:
    """The formula's tree. `names` are the parameters that may occur beside x; None: any.

    Raises RecipeError, with the position, for what is not a formula.
    """
    if not isinstance(text, str):
        raise RecipeError(f"A formula is text, not {type(text).__name__}.", "For example: 'x * tanh(exp(x))'.")
    if len(text) > LONGEST:
        raise RecipeError(f"The formula has {len(text)} characters.", f"At most {LONGEST} are allowed.")
    return _Parser(text, names, functions).whole()


def tokens(text: str) -> list[Token]:
    found, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = TOKEN.match(text, at)
        if match is None:
            refuse(text, at, f"{text[at]!r} has no meaning here", HINTS.get(text[at], ""))
        found.append(Token(str(match.lastgroup), match.group(), at))
        at = match.end()
    return [*found, Token("end", "", len(text))]


def refuse(text: str, at: int, what: str, next_step: str = "") -> NoReturn:
    """RecipeError in one line, with an arrow in the text, if there is any, that points at the place."""
    shown = re.sub(r"\s", " ", text)
    begin, end = max(0, at - 40), at + 40
    before, after = "…" * (begin > 0) + shown[begin:at], shown[at:end] + "…" * (end < len(shown))
    place = f", {before}→{after}" if text.strip() else ""
    raise RecipeError(f"The formula is wrong at position {at + 1}{place}: {what}. {next_step}".rstrip())


class _Parser:
    """Reads tokens from the left; `depth` counts how far rules are within each other."""

    def __init__(self, text: str, names: Collection[str] | None, functions: Mapping[str, Function]) -> None:
        self.text, self.names, self.functions = text, names, functions
        self.tokens = tokens(text)
        self.next = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def take(self, *symbols: str) -> str:
        """The next symbol, if it is one of these; else nothing."""
        if self.token.kind != "symbol" or self.token.text not in symbols:
            return ""
        self.next += 1
        return self.tokens[self.next - 1].text

    def whole(self) -> Node:
        if self.token.kind == "end":
            refuse(self.text, 0, "it is empty", "For example: 'x * tanh(exp(x))'.")
        node = self.formula()
        if self.token.kind != "end":
            self.unexpected(
                "the end or an operator", "Multiplication is written with *." * (self.token.kind != "symbol")
            )
        return node

    def unexpected(self, wanted: str, next_step: str = "") -> NoReturn:
        seen = "the text ends" if self.token.kind == "end" else f"there is {self.token.text!r}"
        refuse(self.text, self.token.at, f"{seen} where {wanted} should be", next_step)

    def formula(self) -> Node:
        left = self.sum()
        symbol = self.take("<", "<=", ">", ">=")
        if not symbol:
            return left
        right = self.sum()
        if symbol.startswith("<"):
            left, right = right, left
        return call("ge" if symbol.endswith("=") else "gt", left, right)

    def sum(self) -> Node:
        node = self.product()
        while symbol := self.take("+", "-"):
            node = call(SYMBOLS[symbol], node, self.product())
        return node

    def product(self) -> Node:
        node = self.signed()
        while symbol := self.take("*", "/"):
            node = call(SYMBOLS[symbol], node, self.signed())
        return node

    def signed(self) -> Node:
        self.deeper()
        if self.take("-"):
            inner = self.signed()
            node = number(-inner.value) if isinstance(inner, Number) else -inner
        elif self.take("+"):
            node = self.signed()
        else:
            node = self.power()
        self.depth -= 1
        return node

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            refuse(self.text, self.token.at, f"more than {DEEPEST} levels within each other")

    def power(self) -> Node:
        base = self.atom()
        return call("pow", base, self.signed()) if self.take("^", "**") else base

    def atom(self) -> Node:
        token = self.token
        if token.kind == "number":
            self.next += 1
            return self.number(token)
        if token.kind == "name":
            self.next += 1
            return self.function(token) if self.take("(") else self.name(token)
        if self.take("("):
            node = self.formula()
            self.close()
            return node
        return self.unexpected("a number, a name or a parenthesis")

    def number(self, token: Token) -> Node:
        value = float(token.text)
        if value > 1e30:
            refuse(self.text, token.at, f"{token.text} is too large", "Use numbers up to 1e30.")
        return number(value)

    def close(self) -> None:
        if not self.take(")"):
            self.unexpected("')'")

    def name(self, token: Token) -> Node:
        if token.text in CONSTANTS:
            return number(CONSTANTS[token.text])
        known = {"x", *(self.names or ())}
        if token.text in FUNCTIONS or token.text in ALIASES or token.text in SHORT:
            refuse(self.text, token.at, f"{token.text} needs its argument", f"For example: {token.text}(x).")
        if self.names is not None and token.text not in known:
            near = did_you_mean(nearest(token.text, [*known, *CONSTANTS]), sorted(known))
            refuse(
                self.text,
                token.at,
                f"unknown name {token.text!r}",
                f"{near} A parameter is given by keyword, with a value.",
            )
        return name(token.text)

    def function(self, token: Token) -> Node:
        called = ALIASES.get(token.text, token.text)
        if called not in self.functions and called not in SHORT:
            known = [*self.functions, *ALIASES, *SHORT]
            refuse(
                self.text,
                token.at,
                f"unknown function {token.text!r}",
                did_you_mean(nearest(token.text, known), known, 40),
            )
        given = [self.formula()]
        while self.take(","):
            given.append(self.formula())
        self.close()
        wanted = 1 if called in SHORT else len(self.functions[called].arguments)
        if len(given) != wanted:
            refuse(self.text, token.at, f"{token.text} takes {wanted} argument{'s' * (wanted > 1)}, not {len(given)}")
        return replace(_short(called), {"u": given[0]}) if called in SHORT else call(called, *given)


@cache
def _short(called: str) -> Node:
    return parse(SHORT[called])
