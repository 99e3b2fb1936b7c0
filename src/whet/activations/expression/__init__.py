"""Formulas as text: read, printed, differentiated, simplified, evaluated, checked. See grammar.py for what may be written.

>>> print(derive(parse("x^3 + exp(-x)")))
3 * square(x) - exp(-x)
"""

from whet.activations.expression.derive import derive
from whet.activations.expression.evaluate import on_array
from whet.activations.expression.grammar import parse
from whet.activations.expression.nodes import Call, Name, Node, Number, free_names, replace
from whet.activations.expression.simplify import simplify

__all__ = ["Call", "Name", "Node", "Number", "derive", "free_names", "on_array", "parse", "replace", "simplify"]
