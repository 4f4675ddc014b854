"""A model's card, which a stranger may have written, as HTML that only shows text.

A list says what may stay. Nothing is fetched for it, nothing lies over the page, nothing is sent:
an address is asked only when a person clicks it.
"""

import nh3
from markdown_it import MarkdownIt

MOST_LETTERS = 50_000  # beyond them a card is cut
TAGS = {"p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "a", "strong", "em", "b", "i", "code"}
TAGS |= {"pre", "blockquote", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"}
TAGS |= {"del", "s", "sub", "sup", "kbd", "details", "summary"}
ATTRIBUTES = {"a": {"href"}}
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def card_html(text: str) -> str:
    """Markdown, with or without the lines for the Hub, to HTML of these tags and attributes."""
    if text.startswith("---\n"):
        _, _, text = text.removeprefix("---\n").partition("\n---\n")
    return nh3.clean(
        MARKDOWN.render(text[:MOST_LETTERS]),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
