"""What people read when they opt out, or in again."""

from edge.answers import Answer, Header
from edge.pages import page

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


def opted_out(*headers: Header) -> Answer:
    return page(200, "opted-out", "You have opted out", _OUT, headers)


def opted_in(*headers: Header) -> Answer:
    return page(200, "opted-in", "You have opted in again", _IN, headers)


COOKIE_REFUSED = page(200, "no-cookie", "Your choice could not be saved", _REFUSED)
NOT_OPENED = page(403, "not-opened", "Nothing was changed", _NOT_OPENED)
