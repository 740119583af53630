"""Two hundred texts that would run a script where a page forgets to escape them.

Each calls ``hit`` of the page around it, or asks for ``/hit``, so that a script that runs is seen.
"""

from __future__ import annotations

from itertools import product

ACT = "top.hit(1)"
ASK = "new Image().src='/hit'"

OPENINGS = (
    *("", "'>", '">', "'\">", "</script>", "</style>", "</title>", "</textarea>", "-->", "]]>"),
    *(
        "</svg>",
        "</text></svg>",
        "</code></pre>",
        "&quot;>",
        "}}",
        "{{'a'}}",
        '\\">',
        "\x00>",
        "</td>",
    ),
)
SCRIPTS = (
    f"<script>{ACT}</script>",
    f"<img src=x onerror={ACT}>",
    f"<svg onload={ACT}>",
    f"<svg><script>{ACT}</script></svg>",
    f"<iframe srcdoc='<script>{ACT}</script>'>",
    f"<details open ontoggle={ACT}>x</details>",
    f"<input autofocus onfocus={ACT}>",
    f"<body onload={ACT}>",
    f"<video><source onerror={ACT}></video>",
    f"<style>@keyframes x{{}}</style><b style='animation-name:x' onanimationstart={ACT}>",
)
OTHERS = (
    f'" onmouseover="{ACT}" onfocus="{ACT}" autofocus tabindex=0 x="',
    f"' onload='{ACT}' x='",
    f"javascript:{ACT}",
    f"data:text/html,<script>{ACT}</script>",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% for x in [1] %}<script>" + ACT + "</script>{% endfor %}",
    "${" + ACT + "}",
    f"`-{ACT}-`",
    f"\\u003cscript\\u003e{ACT}\\u003c/script\\u003e",
    f"&lt;script&gt;{ACT}&lt;/script&gt;",
)
PAYLOADS = (*OTHERS, *(opening + script for opening, script in product(OPENINGS, SCRIPTS)))[:200]
