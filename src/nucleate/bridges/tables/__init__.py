"""Any table of training metrics, read into a CurveBook: what `nucleate detect` starts from."""

from nucleate.bridges.tables.choice import ColumnChoice
from nucleate.bridges.tables.read import read_book, select

__all__ = ["ColumnChoice", "read_book", "select"]
