"""What torch's words mean, and what to do: for a network or a loss that can't take the rows."""

from __future__ import annotations

HINTS = (
    ("device", "Bring the network to the device of the rows, in its factory: make().to(X.device)."),
    ("between 0 and 1", "nn.BCELoss takes probabilities; give outputs as they are to nn.BCEWithLogitsLoss()."),
    ("embedding", "Indices are whole numbers from 0, below the number of embeddings."),
    ("index out of range in self", "Indices are whole numbers from 0, below the number of embeddings."),
    ("Long", "Class indices are whole numbers: y.long()."),
    ("out of bounds", "Classes are counted from 0, and the last layer needs one output for each."),
    ("same dtype", "Bring inputs and weights to one type: X.float()."),
    ("got tuple", "Return one tensor from the network; what else it computes may be kept in an attribute."),
    ("mat1 and mat2 shapes", "The first number of nn.Linear(...) is how many numbers come in."),
)
"""(a part of torch's message, what to do); the first one that fits is said."""


def said_by(error: BaseException) -> str:
    """The first line of an error, with its kind and a full stop."""
    return f"{type(error).__name__}: {(str(error).strip() or '?').splitlines()[0].rstrip('.')}."


def hint(error: BaseException) -> str:
    """What to do about an error; "" where nothing is known."""
    said = str(error)
    return next((advice for words, advice in HINTS if words in said), "")
