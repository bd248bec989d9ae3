"""Web pages of the edge: whole in themselves, allowed to load nothing and to be framed by nobody."""

import html
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256

from edge.answers import Answer, Header

_STYLE = """
:root{color-scheme:light dark;--ground:#f4f5f7;--card:#fff;--ink:#1b2330;--soft:#566072;--line:#dfe3ea;--accent:#1f5fd0}
@media(prefers-color-scheme:dark){
:root{--ground:#12161d;--card:#1b212b;--ink:#eef1f6;--soft:#a9b3c3;--line:#2f3846;--accent:#8ab4ff}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--ground);
color:var(--ink);font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,Ubuntu,sans-serif}
main{width:100%;max-width:40rem;padding:clamp(1.5rem,5vw,3rem);background:var(--card);
border:1px solid var(--line);border-radius:1rem}
h1{margin:0 0 .75rem;font-size:clamp(1.5rem,5vw,2rem);line-height:1.2;text-wrap:balance}
h2{margin:2rem 0 .25rem;font-size:1.0625rem}
p{margin:.5rem 0}
ul{margin:.5rem 0;padding-left:1.25rem}
li{margin:.35rem 0}
p,li{color:var(--soft)}
.lead{color:var(--ink);font-size:1.125rem}
code{font-size:.95em}
a{color:var(--accent);text-underline-offset:.2em}
a:focus-visible{outline:3px solid var(--accent);outline-offset:3px;border-radius:.2rem}
.action{margin-top:1.75rem;padding-top:1.25rem;border-top:1px solid var(--line)}
"""
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: list[Header] = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""


def page(status: int, name: str, title: str, content: str, headers: Iterable[Header] = ()) -> Answer:
    """`title` is plain text, `content` is HTML."""
    text = _PAGE.format(title=html.escape(title), style=_STYLE, content=content)
    return Answer(status, name, b"text/html; charset=utf-8", text.encode(), [*_HEADERS, *headers])
