"""The strictest settings, as `.env.strictest` holds them."""

import re

from core.environment import PROJECT_ROOT


def strictest() -> dict[str, str]:
    text = (PROJECT_ROOT / ".env.strictest").read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))
