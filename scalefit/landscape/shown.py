"""How results show themselves in a notebook: as their own plain text."""

from __future__ import annotations

import html


class Shown:
    """Shows its text, verdict first, where a notebook asks for HTML."""

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"
