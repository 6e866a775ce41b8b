"""Takes secrets out of URLs and connection strings before anybody sees them. Pure."""

from __future__ import annotations

import re

# Where a password begins; a scheme may be missing. It goes to the last @, because one that was not
# quoted may hold anything.
_USER = re.compile(r"://[^@:]*:")
_BARE_USER = re.compile(r"[^@:]*:")
# A lone name in front of the @ of a web address is a token.
_TOKEN = re.compile(r"(?i)(https?://)[^@/\s]+@")
# The name is looked through once and then taken as a whole: text that is no URL comes here as well.
_QUERY_SECRET = re.compile(
    r"(?i)((?:\A|[?&;\s])(?=[\w.-]*?(?:password|passwd|pwd|secret|token|key))[\w.-]++\s*+=\s*+)(?:'[^']*'|[^&\s]*)"
)


def redact(url: str) -> str:
    """`url`, or a connection string, without its password or any secret in its query."""
    url = _QUERY_SECRET.sub(r"\1***", url)
    end = url.rfind("@")
    if end < 0:
        return url
    user = _USER.search(url, 0, end) or (None if "://" in url else _BARE_USER.match(url, 0, end))
    return f"{url[: user.end()]}***{url[end:]}" if user else _TOKEN.sub(r"\1***@", url)
