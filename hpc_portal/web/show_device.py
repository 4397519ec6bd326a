"""A browser and its system by the words that it says of itself, as far as they are known."""

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Chrom", "Chrome"),
    ("Firefox/", "Firefox"),
    ("Safari/", "Safari"),
)
"""In the order in which they are looked for: most say that they are others as well."""
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device_of(user_agent: str) -> str:
    """`Chrome, Linux`; "" for what neither is known of."""
    named = (
        next((name for word, name in words if word in user_agent), "") for words in (_BROWSERS, _SYSTEMS)
    )
    return ", ".join(filter(None, named))
