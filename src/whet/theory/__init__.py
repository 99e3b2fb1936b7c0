"""Mean-field theory of activation functions: what a wide plain network does with them before anything trains."""

from __future__ import annotations

from whet.theory.analysis import Analysis, analyse
from whet.theory.tailoring import Tailored, tailor

__all__ = ["Analysis", "Tailored", "analyse", "tailor"]
