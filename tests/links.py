"""Links of Markdown and HTML files to files and places beside them, and which of them lead nowhere."""

import re
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote

ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:|//")


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.places = set(), set()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.links |= {found[key] for key in ("href", "src") if found.get(key)}
        self.places |= {found[key] for key in ("id", "name") if found.get(key)}


@cache
def html(path):
    """Links of a page, and the places in it that a link can name."""
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page.links, page.places


@cache
def markdown(path):
    """The same for Markdown, as GitHub names its headings."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    places = set(re.findall(r'<a id="([^"]+)">', text))
    for title in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower().strip()
        places.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return set(re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))), places


def dead(path):
    """Links of a file that name no file, or no place in it; addresses elsewhere are left out."""
    of = {".html": html, ".md": markdown}
    found = []
    for link in sorted(of[path.suffix](path)[0]):
        if ELSEWHERE.match(link):
            continue
        name, _, place = link.partition("#")
        target = (path.parent / unquote(name.partition("?")[0])).resolve() if name else path
        if not target.exists() or (
            place and target.suffix in of and unquote(place) not in of[target.suffix](target)[1]
        ):
            found.append(link)
    return found
