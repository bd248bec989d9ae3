"""The pages that people read when they opt out, or in again: whole in themselves, so that they load nothing.

No other site may show them in a frame.
"""

import html
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256

from edge.responses import EdgeResponse, Header

_OUT = """\
<p class="lead">From now on, this browser is not recognised here. We no longer collect what it does, match it with
other companies, or put it into audiences.</p>
<h2>What happens now</h2>
<ul>
<li>If we knew this browser, what was kept under its id is taken out of every audience, and the companies that
received its id are told to remove it. That takes a little while.</li>
<li>You may see as much advertising as before. It is only no longer chosen with the help of what we knew.</li>
<li>Links in e-mails keep working. They take you to their page without recognising you.</li>
</ul>
<h2>What is remembered</h2>
<ul>
<li>One cookie, <code>dmpopt=1</code>. It reads the same for everybody who opted out and says nothing else about you.
The cookie that recognised this browser has been deleted.</li>
<li>If we knew this browser, we also note under its former id that it opted out, and when, so that nothing is added
there later.</li>
<li>It holds for this browser on this device, for every website that works with us. Other browsers and devices need to
opt out themselves.</li>
<li>If you delete your cookies, or use a private window, this choice is forgotten. Some browsers also forget it after
about a year. Open this page again then.</li>
</ul>
<p class="action">Changed your mind? <a href="/opt-in">Opt in again</a></p>
"""
_IN = """\
<p class="lead">This browser may be recognised again.</p>
<h2>What happens now</h2>
<ul>
<li>The cookie that held your earlier choice has been deleted.</li>
<li>When you next visit a website that works with us, this browser gets a new random id, in a cookie that lasts for
thirteen months. What was removed when you opted out does not come back.</li>
<li>Other choices still count: what you decide in the consent notice of a website, and the Global Privacy Control of
your browser.</li>
</ul>
<p class="action">Changed your mind? <a href="/opt-out">Opt out</a></p>
"""
_REFUSED = """\
<p class="lead">Your browser did not keep the cookie that would tell us of your choice.</p>
<h2>What that means</h2>
<ul>
<li>As long as your browser refuses our cookies, it also refuses the one by which we would recognise it.</li>
<li>If it accepts cookies later, we could not know that you had opted out.</li>
</ul>
<h2>What you can do</h2>
<ul>
<li>Allow cookies for this address, at least for this visit, and <a href="/opt-out">try to opt out again</a>.</li>
<li>Or keep refusing them.</li>
</ul>
"""
_NOT_OPENED = """\
<p class="lead">This page was loaded by another one, not opened by you, so nothing was changed.</p>
<p class="action"><a href="/opt-in">Open it</a> if you want to opt in again</p>
"""
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


def _page(status: int, name: str, title: str, content: str, headers: Iterable[Header] = ()) -> EdgeResponse:
    """`title` is plain text, `content` is HTML."""
    text = _PAGE.format(title=html.escape(title), style=_STYLE, content=content)
    return EdgeResponse(status, name, b"text/html; charset=utf-8", text.encode(), [*_HEADERS, *headers])


def opted_out(*headers: Header) -> EdgeResponse:
    return _page(200, "opted-out", "You have opted out", _OUT, headers)


def opted_in(*headers: Header) -> EdgeResponse:
    return _page(200, "opted-in", "You have opted in again", _IN, headers)


COOKIE_REFUSED = _page(200, "no-cookie", "Your choice could not be saved", _REFUSED)
NOT_OPENED = _page(403, "not-opened", "Nothing was changed", _NOT_OPENED)
