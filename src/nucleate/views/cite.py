"""How to cite the software: the same words as CITATION.cff, as BibTeX."""

from __future__ import annotations

TITLE = "nucleate: calibrated transitions in language-model training"
AUTHORS = "The nucleate authors"
YEAR = 2026
LICENSE = "Apache-2.0"


def bibtex() -> str:
    """Return the entry of the installed version."""
    from nucleate import __version__

    fields = {
        "title": f"{{{TITLE}}}",
        "author": f"{{{{{AUTHORS}}}}}",
        "year": f"{{{YEAR}}}",
        "version": f"{{{__version__}}}",
        "license": f"{{{LICENSE}}}",
    }
    body = ",\n".join(f"  {key:<8}= {value}" for key, value in fields.items())
    return f"@software{{nucleate,\n{body}\n}}"
