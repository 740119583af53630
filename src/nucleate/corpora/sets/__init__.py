"""Published evaluation items: one reader per format, from a local folder or a hub of data sets."""

from nucleate.corpora.sets.catalogue import CATALOGUE
from nucleate.corpora.sets.published import Published, load

__all__ = ["CATALOGUE", "Published", "load"]
