"""How to cite the software: the same words as CITATION.cff, as BibTeX."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

TITLE = "nucleate: calibrated transitions in language-model training"
AUTHORS = "The nucleate authors"
YEAR = 2026
LICENSE = "Apache-2.0"


def installed() -> str:
    """Return the version of nucleate that is running."""
    try:
        return version("nucleate")
    except PackageNotFoundError:
        return "unknown"


def bibtex() -> str:
    """Return the entry of the installed version."""
    fields = {
        "title": f"{{{TITLE}}}",
        "author": f"{{{{{AUTHORS}}}}}",
        "year": f"{{{YEAR}}}",
        "version": f"{{{installed()}}}",
        "license": f"{{{LICENSE}}}",
    }
    body = ",\n".join(f"  {key:<8}= {value}" for key, value in fields.items())
    return f"@software{{nucleate,\n{body}\n}}"
