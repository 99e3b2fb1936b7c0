"""The reader of a run: layer 6. It reads records and results, and never computes a score anew."""

from whet.report.html import write
from whet.report.stored import rebuild, save
from whet.report.view import PictureMistake, RowMistake, RunView, Tried

__all__ = ["PictureMistake", "RowMistake", "RunView", "Tried", "rebuild", "save", "write"]
