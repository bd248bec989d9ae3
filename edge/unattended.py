"""Requests that no person made: a browser loads a page that nobody has opened yet, or a program looks at a link.

They are answered, counted apart (`prefetch`) and kept nowhere. A person who opens the page later sends requests of
their own.

Browsers say so: `Sec-Purpose: prefetch`, or `prefetch;prerender` (Fetch § 2.2.7), older ones `Purpose: prefetch`
(Chromium), `X-Purpose: preview` (Safari) and `X-Moz: prefetch` (Firefox). Programs are known by their `User-Agent`, as
far as they give one of their own. Sources of the list: github.com/monperrus/crawler-user-agents (tags `social-preview`
and `scanner`), the bot lists of github.com/matomo-org/device-detector, and what senders of mailings report of security
gateways (wordtothewise.com, university.act-on.com).

Programs that load the images of a mail when a person opens it are not in the list: GoogleImageProxy, YahooMailProxy,
Outlook. Nor are in-app browsers. Gateways that look like any browser are told apart in another way: an id that no
browser brings back takes nobody's match away (`pipeline/absorb/claims.py`).
"""

from core.patterns import linear
from edge.request_head import Fields

STATUS = "prefetch"

_SIGNS = (b"prefetch", b"prerender", b"preview")
LINK_CHECKERS = (
    # previews of links in messages and posts
    *(b"arenaunfurlbot", b"bingpreview/", b"bluesky cardyb", b"blueskypreviewbot", b"chatwork linkpreview"),
    *(b"clickuplinkunfurler", b"codabot", b"dingtalkbot", b"discordbot", b"discourse forum onebox", b"embedly"),
    *(
        b"evernoterichlinkbot",
        b"facebookexternalhit",
        b"facebot",
        b"flipboardproxy",
        b"friendica",
        b"google web preview",
    ),
    *(b"groupmebot", b"iframely", b"kakaotalk-scrap", b"keybasebot", b"linespider", b"linkedinbot", b"linkpreview"),
    *(b"mastodon/", b"mattermost-bot", b"meta-externalfetcher", b"meta-externalhit", b"microsoftpreview"),
    *(b"odklbot", b"pinterest.com/bot", b"quora-bot", b"redditbot", b"skypeuripreview", b"slackbot"),
    *(
        b"snap url preview",
        b"snapurlpreview",
        b"summalybot",
        b"synapse (bot",
        b"telegrambot",
        b"twitterbot",
        b"vkshare",
    ),
    *(b"whatsapp/", b"xing bot", b"yahoo link preview"),
    # security gateways of mail, and scanners of addresses
    *(b"barracuda", b"ciscosecureemail", b"cloudflareradarurlscanner", b"cloudmark", b"fireeye", b"fortimail"),
    *(b"google-safety", b"ironport"),
    *(b"messagelabs", b"microsoft-urlanalyzer", b"mimecast", b"netcraft", b"proofpoint", b"safelinks", b"sophos"),
    *(b"symantec", b"trendmicro", b"trend micro", b"twinwavescanner", b"urlscan", b"vadesecure", b"virustotal"),
    *(b"microsoft office existence discovery", b"microsoft office protocol discovery"),
    # checkers of links, and search engines that follow them
    *(b"applebot", b"baiduspider", b"bingbot", b"bitlybot", b"deadlinkchecker", b"duckduckbot", b"googlebot"),
    *(b"linkchecker", b"w3c-checklink", b"xenu link sleuth", b"yandexbot"),
)
"""Parts of user agents in lower case."""

_LONGEST = 512
_CHECKER = linear(
    b"|".join(word.replace(b".", rb"\.").replace(b"(", rb"\(") for word in LINK_CHECKERS), _LONGEST, ignore_case=True
)
_MOST_KNOWN = 4_096
_known: dict[bytes, bool] = {}


def is_unattended(fields: Fields) -> bool:
    """Whether the header says that nobody is behind the request."""
    agent = fields.get(b"user-agent", b"")
    found = _known.get(agent)
    if found is None:
        found = _is_checker(agent)
    if found or not (b"sec-purpose" in fields or b"purpose" in fields or b"x-purpose" in fields or b"x-moz" in fields):
        return found
    said = b" ".join(fields.get(name, b"") for name in (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")).lower()
    return any(sign in said for sign in _SIGNS)


def _is_checker(agent: bytes) -> bool:
    """Looks for the entries of the list in a bounded text. What was found is remembered: there are few user agents."""
    found = _CHECKER.search(agent[:_LONGEST]) is not None
    if len(agent) <= _LONGEST:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[agent] = found
    return found
