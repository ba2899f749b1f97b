"""Our block in a description: read whatever the vendor's editor did to it, the owner's text left alone."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.diff.fields import folded
from reconciler.providers.block import FIRST_LINE, LAST_LINE, looks_like_html, replace, split, text_of, wrap

BLOCK = "Course: Safety\nWith: Ana & Ben\n\nBring a helmet.\n\nhttps://lms.example/s?id=4&day=2"

plain_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.just("\n"))
words = st.text("abc <>&;=/!\n.'\"éß漢", max_size=60)
owner_html = st.lists(
    st.sampled_from(
        ["<b>", "</b>", "<p>", "</p>", "<br>", "&amp;", "&nbsp;", "note ", "\n", "<i>x</i>", "<", ">"]
    )
).map("".join)
anything = plain_text | words | owner_html
modes = st.sampled_from([None, True, False])


def without_delimiters(*texts: str) -> None:
    assume(not any("===" in text for text in texts))


@given(anything)
def test_what_is_wrapped_is_read_back(block: str) -> None:
    for html in (True, False):
        parts = split(wrap(block, html), html)
        assert parts.before == parts.after == ""
        assert folded(parts.block or "") == folded(block)


@given(anything)
def test_what_is_written_into_an_empty_description_is_read_back_untold_what_it_is(block: str) -> None:
    assert folded(split(replace("", block)).block or "") == folded(block)


@given(anything, anything, anything, anything, modes)
def test_the_owners_text_survives_character_for_character(
    above: str, below: str, old: str, new: str, html: bool | None
) -> None:
    without_delimiters(above, below)
    markup = looks_like_html(above + old + below) if html is None else html
    description = above + wrap(old, markup) + below
    after = split(replace(description, new, html), html)
    assert (after.before, after.after) == (above, below)
    assert folded(after.block or "") == folded(new)


@given(anything, anything, modes)
def test_in_a_description_without_a_block_it_stands_below_everything(
    owner: str, block: str, html: bool | None
) -> None:
    without_delimiters(owner, block)
    assume(folded(block) not in folded(owner))
    description = replace(owner, block, html)
    assert description.startswith(owner)
    assert split(description, html).after == ""


@given(anything, anything, modes)
def test_replacing_twice_is_replacing_once(description: str, block: str, html: bool | None) -> None:
    once = replace(description, block, html)
    assert replace(once, block, html) == once


@given(st.lists(st.sampled_from([FIRST_LINE, LAST_LINE, "mine", "yours", "<p>", "</p>", "<br>"])), modes)
def test_delimiters_in_any_order_lead_to_one_readable_block(lines: list[str], html: bool | None) -> None:
    description = "\n".join(lines)
    once = replace(description, "the block", html)
    assert split(once, html).block == "the block"
    assert replace(once, "the block", html) == once
    if split(description, html).block is None:
        assert once.count("mine") == lines.count("mine")


EDITED = [
    # as Google's page stores it once its owner has typed into it
    "Bring <b>lunch</b>!<br>{first}<br>Course: Safety<br>With: Ana &amp; Ben<br><br>Bring a helmet.<br><br>"
    '<a href="https://lms.example/s?id=4&amp;day=2" target="_blank">https://lms.example/s?id=4&amp;day=2</a>'
    "<br>{last}<br>see you",
    # paragraphs, hard spaces
    "<p>lunch</p><p>{first}</p><p>Course:&nbsp;Safety<br>With: Ana &amp; Ben</p><p>Bring a&nbsp; helmet.</p>"
    "<p>https://lms.example/s?id=4&amp;day=2</p><p>{last}</p><p>see you</p>",
    # carriage returns
    "lunch\r\n{first}\r\nCourse: Safety\r\nWith: Ana & Ben\r\n\r\nBring a helmet.\r\n\r\n"
    "https://lms.example/s?id=4&day=2\r\n{last}\r\nsee you",
    # a block made bold
    "lunch<b>{first}<br>Course: Safety<br>With: Ana &amp; Ben<br>Bring a helmet.<br>"
    "https://lms.example/s?id=4&amp;day=2<br>{last}</b>see you",
    # a whole document with indented source
    "<html>\r\n<head><meta charset='utf-8'></head>\r\n<body>\r\n<div>lunch</div>\r\n<div>{first}<br>\r\n"
    "Course: Safety<br>\r\nWith: Ana &amp; Ben<br>\r\nBring a\r\nhelmet.<br>\r\n"
    "https://lms.example/s?id=4&amp;day=2<br>\r\n{last}</div>\r\nsee you</body>\r\n</html>",
]


@pytest.mark.parametrize("stored", EDITED)
def test_an_editors_mark_up_is_no_edit_of_our_block(stored: str) -> None:
    block = split(stored.format(first=FIRST_LINE, last=LAST_LINE)).block
    assert block is not None
    assert folded(block) == folded(BLOCK)


@pytest.mark.parametrize("stored", EDITED)
def test_delimiters_broken_over_lines_and_styled_are_still_known(stored: str) -> None:
    first, last = (
        FIRST_LINE.replace(" up to ", " <i>up</i>&nbsp;to\n"),
        LAST_LINE.replace(" of ", "\nof&#160;"),
    )
    block = split(stored.format(first=first, last=last), html=True).block
    assert block is not None
    assert folded(block) == folded(BLOCK)


def test_styled_halves_keep_their_other_half_when_the_block_is_replaced() -> None:
    stored = f"a<b>{FIRST_LINE}</b><br>old<p>{LAST_LINE}</p>z"
    replaced = replace(stored, "new")
    assert replaced == f"a<b>{wrap('new', html=True)}</b><p></p>z"


def test_in_a_document_the_block_goes_inside_the_body() -> None:
    replaced = replace("<html><body><p>mine</p></body></html>", "new", html=True)
    assert replaced == f"<html><body><p>mine</p><br><br>{wrap('new', html=True)}</body></html>"


def test_plain_text_stays_plain() -> None:
    assert replace("mine", "R & D, x <- 5") == f"mine\n\n{FIRST_LINE}\nR & D, x <- 5\n{LAST_LINE}"


def test_text_that_a_browser_would_swallow_is_escaped() -> None:
    assert "use &lt;script&gt;" in replace("mine", "use <script>")
    assert split(replace("mine", "use <script> &copy; &amp;")).block == "use <script> &copy; &amp;"


def test_the_lms_cannot_end_the_block_early() -> None:
    description = replace("mine", f"a\n{LAST_LINE}\n{FIRST_LINE}\nb")
    assert split(description).after == ""
    assert folded(split(description).block or "").startswith("a -- End")


@pytest.mark.parametrize(
    ("left", "rest"),
    [
        (f"mine\n{FIRST_LINE}\none\ntwo", "mine\n"),  # the last line is lost
        (f"mine\n{FIRST_LINE}\none\ntwo\n\nyours", "mine\n\nyours"),
        (f"mine\n{FIRST_LINE}\none", "mine\n"),  # and half of the block
        (f"mine\none\ntwo\n{LAST_LINE}\nyours", "mine\nyours"),  # the first line is lost
        (f"mine\n{FIRST_LINE[30:]}\none\ntwo\n{LAST_LINE}", "mine\n"),  # half of the first line is lost
        ("mine\none\ntwo\nyours", "mine\nyours"),  # both are lost
        (f"mine\n{FIRST_LINE}\none changed\nyours", "mine\none changed\nyours"),  # not ours for sure
        (f"{LAST_LINE}\nmine\n{FIRST_LINE}", "mine\n"),  # the wrong way round
        ("mine\n===\none\nyours", "mine\n===\none\nyours"),  # nothing of ours
    ],
)
def test_remains_of_ours_are_not_doubled(left: str, rest: str) -> None:
    assert split(left).block is None
    replaced = replace(left, "one\n\ntwo")
    assert replaced == f"{rest}\n\n{wrap('one' + chr(10) * 2 + 'two')}"


def test_remains_of_ours_are_not_doubled_in_html_either() -> None:
    left = f"<p>mine</p><p><b>{FIRST_LINE}</b></p><p>one<br>two</p><p>yours</p>"
    replaced = replace(left, "one\n\ntwo")
    assert replaced.count("one") == replaced.count("two") == 1
    assert replaced.startswith("<p>mine</p><p>")
    assert text_of(split(replaced).before).split() == ["mine", "yours"]


def test_a_deleted_block_is_told_from_an_empty_one() -> None:
    assert split("mine").block is None
    assert split(wrap("")).block == ""
