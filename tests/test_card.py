"""The card of a stranger's model."""

import re

import pytest

from playground.card import MOST_LETTERS, card_html

ALLOWED = r"</?(?:p|br|hr|h[1-6]|strong|em|b|i|code|pre|blockquote|[uo]l|li|table|thead|tbody"
ALLOWED += r"|tr|t[hd]|del|s|su[bp]|kbd|details|summary)>"
LINK = r'<a (?:href="https?://[^"]*" )?target="_blank" rel="noopener noreferrer nofollow">|</a>'


def test_what_a_card_says_is_shown():
    text = (
        "---\nlicense: mit\n---\n\n# Faces\n\n*Of* [people](https://e.org).\n\n|a|b|\n|-|-|\n|1|2|"
    )
    html = card_html(text)
    assert "license" not in html and "<h1>Faces</h1>" in html and "<td>2</td>" in html
    assert '<em>Of</em> <a href="https://e.org"' in html and 'rel="noopener' in html


@pytest.mark.parametrize(
    "text",
    [
        "![a](https://e.org/a.png)",
        "[![a](https://e.org/a.png)](https://e.org)",
        "![a][b]\n\n[b]: https://e.org/a.png",
        '<IMG SRC="https://e.org/a">',
        '<img srcset="https://e.org/a 1x"',
        '<picture><source srcset="https://e.org/a"></picture>',
        '<svg><image href="https://e.org/a"/></svg>',
        '<video poster="https://e.org/a"></video><audio src="https://e.org/a"></audio>',
        '<table background="https://e.org/a"><tr><td>x</td></tr></table>',
        '<input type="image" src="https://e.org/a">',
        '<p style="background:url(https://e.org/a)">x</p>',
        "<style>@import 'https://e.org/a'</style>",
        '<link rel="stylesheet" href="https://e.org/a"><base href="https://e.org">',
        '<object data="https://e.org/a"></object><embed src="https://e.org/a">',
        '<iframe src="https://e.org/a"></iframe>',
        '<meta http-equiv="refresh" content="0;url=https://e.org">',
        '<div style="position:fixed;inset:0" class="x" id="y">x</div>',
        '<form action="https://e.org"><input name="a"><button>Go</button></form>',
        '<a href="javascript:alert(1)" onclick="alert(1)" ping="https://e.org">x</a>',
        "[x](javascript:alert(1)) [y](data:text/html,z) [z](//e.org) [w](/gradio_api/x)",
        "<script>alert(1)</script>",
        "\\!\\[x\\](https://e.org/a.png) ${alert(1)} {{value}}",
    ],
)
def test_nothing_else_is(text):
    """All that is left between angle brackets is a tag of the list, without attributes, or a link
    that a person clicks."""
    for tag in re.findall(r"<[^>]*>?", card_html(text)):
        assert re.fullmatch(f"{ALLOWED}|{LINK}", tag), tag


def test_a_long_card_is_cut():
    assert len(card_html("a" * 10 * MOST_LETTERS)) < MOST_LETTERS + 100
