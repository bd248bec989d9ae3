"""The HTML that a page carries to be counted, and to sync its visitors."""

from django.conf import settings
from django.utils.html import format_html

from profiles.models import Pixel

TAG = """\
<!-- dmphub: {name} -->
<script async src="{edge}/dp?m={m}&amp;id={id}&amp;t=js"></script>
<script async src="{edge}/sync.js?m={m}&amp;id={id}"></script>
<noscript><img src="{edge}/dp?m={m}&amp;id={id}&amp;t=gif" width="1" height="1" style="display:none" alt=""></noscript>
"""


def tag(pixel: Pixel) -> str:
    name = pixel.name.replace("--", "––")
    return format_html(TAG, name=name, edge=settings.EDGE_URL, m=pixel.customer_id, id=pixel.pk)
