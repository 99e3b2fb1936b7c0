"""From a source to rows that can be trained on: load -> split -> transforms fitted on the training rows -> loader."""

from whet.data.core import PARTS, Data, Inputs, Problem, Profile, Row, Section
from whet.data.inputs import input_spec, load_inputs
from whet.data.sources import load
from whet.data.splits import duplicates, split

__all__ = [
    "PARTS",
    "Data",
    "Inputs",
    "Problem",
    "Profile",
    "Row",
    "Section",
    "duplicates",
    "input_spec",
    "load",
    "load_inputs",
    "split",
]
