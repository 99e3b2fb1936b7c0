"""A training set-up as plain parts: a model's factory, and what it is trained with. It can be trained, looked at, edited."""

from whet.setups.criteria import Criterion, recognise
from whet.setups.parts import Part, as_part
from whet.setups.setup import Operation, Setup
from whet.setups.training import Course, Point, Trained, train

__all__ = [
    "Course",
    "Criterion",
    "Operation",
    "Part",
    "Point",
    "Setup",
    "Trained",
    "as_part",
    "recognise",
    "train",
]
