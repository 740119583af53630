"""Draw a figure's PDF as PNG, so that both show the same."""

from __future__ import annotations

import io

from nucleate.core import UserError

DPI = 300.0


def png(pdf: bytes, dpi: float = DPI) -> bytes:
    """Return the only page of a PDF as a PNG on white.

    Args:
        pdf: What `pdf.pdf` returns.
        dpi: Pixels in an inch of paper.

    Raises:
        UserError: pypdfium2 is not installed, or the picture would be too large.
    """
    try:
        import pypdfium2
    except ModuleNotFoundError:
        raise UserError(
            "PNG needs pypdfium2", fix="pip install 'nucleate[figures]', or ask for --svg"
        ) from None
    document = pypdfium2.PdfDocument(pdf)
    try:
        page = document[0]
        width, height = page.get_size()
        if width * height * (dpi / 72.0) ** 2 > 2e8:
            raise UserError("the picture would be too large", fix="ask for --pdf, or fewer --dpi")
        image = page.render(scale=dpi / 72.0, fill_color=(255, 255, 255, 255)).to_pil()
    finally:
        document.close()
    out = io.BytesIO()
    image.convert("RGB").save(out, "PNG", dpi=(dpi, dpi), optimize=True)
    return out.getvalue()
