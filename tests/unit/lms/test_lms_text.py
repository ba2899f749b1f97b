"""The border: whatever an LMS holds comes through as plain, clean text of bounded length."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cleaning import clean
from reconciler.lms.text import LONGEST_BLOCK, LONGEST_LINE, block, cut, line, link
from tests.support.moodle import shared_file


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ("<p>Bring <b>photo ID</b>.</p><p>Lunch; tea, coffee.</p>", "Bring photo ID.\n\nLunch; tea, coffee."),
        ("<p>Übung: SELECT * FROM t WHERE a &lt; 5;</p>", "Übung: SELECT * FROM t WHERE a < 5;"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<ul>\n<li>one</li>\n<li>two <i>more</i></li></ul>after", "- one\n- two more\n\nafter"),
        ("<table><tr><td>9:00</td><td>Start</td></tr><tr><td>17:00</td></tr></table>", "9:00 Start\n17:00"),
        ("<div>a<div>b</div>c</div>", "a\nb\nc"),
        ('<a href="https://meet.example/x">Join</a>', "Join (https://meet.example/x)"),
        ('<a href="https://meet.example/x">https://meet.example/x</a>', "https://meet.example/x"),
        ('<a href="javascript:alert(1)">Join</a>', "Join"),
        ('<img src="x" onerror="alert(1)" alt="a map">', "a map"),
        ("<script>alert(1)</script><style>p {}</style><p>seen</p>", "seen"),
        ("<!-- unseen -->seen<!-- cut off", "seen"),
        ("<p>not closed <b>bold", "not closed bold"),
        ("<p>&lt;script&gt; is a word</p>", "<script> is a word"),
        ("Tom &amp; Jerry&nbsp;&#8211; live", "Tom & Jerry – live"),
    ],
)
def test_html_becomes_what_its_reader_would_read(source: str, read: str) -> None:
    assert block(source) == read


@pytest.mark.parametrize(
    "text",
    [
        "a < b & c > d",
        "List<String> of <ana@example.org>",
        "if (a<b) {x}",
        "1 << 2",
        "R&D; Q&A",
        "# Head\n\n- item",
    ],
)
def test_plain_text_that_looks_a_little_like_html_stays_as_it_is(text: str) -> None:
    assert block(text) == text


def test_line_ends_of_the_source_stay_even_beside_html() -> None:
    assert block("# Day 1<br>\n- one\n- two\n\n\n\n# Day 2") == "# Day 1\n\n- one\n- two\n\n# Day 2"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_every_kind_of_line_end_is_one_line_end(end: str) -> None:
    assert block(f"one{end}two") == "one\ntwo"
    assert line(f"one{end}two") == "one two"


@pytest.mark.parametrize(
    "unwanted",
    [
        "\x00",
        "\x07",
        "\x1b",
        "\x7f",
        "\x9b",
        "\u202e",
        "\u202d",
        "\u2066",
        "\u2069",
        "\ufeff",
        "\ufffe",
        "\U0010ffff",
    ],
)
def test_controls_that_could_harm_a_reader_are_gone(unwanted: str) -> None:
    assert block(f"a{unwanted}b") == line(f"a{unwanted}b") == "ab"


@pytest.mark.parametrize("entity", ["&#8238;", "&#x202e;", "&#7;", "&#0;", "&#xd800;"])
def test_controls_do_not_come_back_as_entities(entity: str) -> None:
    assert clean(block(f"<p>a{entity}b</p>")) == block(f"<p>a{entity}b</p>")
    assert clean(block(f"a{entity}b")) == block(f"a{entity}b")


def test_half_a_surrogate_pair_is_replaced_so_that_the_text_can_be_sent() -> None:
    assert block("a\ud83d b") == "a\ufffd b"


@pytest.mark.parametrize(
    "text", ["مرحبا\u200f!", "\u200eC++", "👩\u200d🏫", "नमस्\u200dते", "Ünï", "日本語 訓練", "①②"]
)
def test_what_a_script_needs_to_be_read_stays(text: str) -> None:
    assert line(text) == text


def test_long_text_is_cut_at_a_word() -> None:
    found = block("word " * 5_000)
    assert len(found) <= LONGEST_BLOCK
    assert found.endswith("word…")


def test_long_titles_are_cut_in_one_line() -> None:
    found = line("A title\nof many words " * 40)
    assert len(found) <= LONGEST_LINE
    assert "\n" not in found
    assert found.endswith("…")


def test_one_endless_word_is_cut_within() -> None:
    assert cut("x" * 20_000, 300) == "x" * 299 + "…"


def test_a_cut_leaves_no_half_of_what_a_reader_sees_as_one_character() -> None:
    assert cut("x" * 8 + "e\u0301" + "y" * 9, 10) == "x" * 8 + "…"
    assert cut("x" * 7 + "👩\u200d🏫" + "y" * 9, 10) == "x" * 7 + "…"


@pytest.mark.parametrize("nothing", [None, "", "   ", "\n\n", "<p></p>", "<br>", "\x00"])
def test_nothing_is_an_empty_text(nothing: str | None) -> None:
    assert block(nothing) == line(nothing) == ""


@given(st.text(alphabet=st.characters() | st.sampled_from("<>&;/!\"'=pbra-\x00\u202e\r\n\ud800")))
def test_whatever_comes_the_result_is_clean_stable_and_can_be_encoded(raw: str) -> None:
    for found in (block(raw), line(raw)):
        assert clean(found) == found
        assert found == found.strip()
        found.encode("utf-8")
        assert not [
            character for character in found if unicodedata.category(character) == "Cc" and character != "\n"
        ]


@given(st.text(alphabet=st.sampled_from("aü文 \n<&;\t\xa0\u200d\u2028\x00"), max_size=30))
def test_a_text_that_needs_nothing_done_is_no_other_for_being_left_alone(raw: str) -> None:
    as_bytes = raw.encode()  # which are always looked at in full
    assert block(raw) == block(as_bytes)
    assert line(raw, 20) == line(as_bytes, 20)


@pytest.mark.parametrize(
    "hostile",
    [
        "<div>" * 20_000,
        "<p>a</b>" * 12_000,
        "<b>" + "<!--" * 25_000,
        "<a href=https://x.example>" * 4_000,
        "<ul>" + "<li>" * 20_000,
        "<b>" + "</" * 40_000,
        " \n" * 50_000 + "<b>",
    ],
    ids=lambda text: text[:8],
)
def test_a_page_made_to_be_slow_costs_work_in_proportion_to_its_length(hostile: str) -> None:
    """Where each tag looks at all the others, these take a thousand calls a character."""
    assert calls_to_read(hostile) < 30 * len(hostile)


def calls_to_read(page: str) -> int:
    """How many functions are called to read it: work, counted rather than timed."""
    count = 0

    def add(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(add)
    try:
        block.__wrapped__(page)
    finally:
        sys.setprofile(before)
    return count


def test_real_descriptions_come_through_within_bounds_and_readable() -> None:
    rows = shared_file("ilt-sessions.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(row)["description"] or "" for row in rows]
    assert max(map(len, texts)) > LONGEST_BLOCK
    for text in texts:
        found = block(text)
        assert len(found) <= LONGEST_BLOCK
        assert bool(found) == bool(text.strip())
        assert "<div" not in found
        assert "<br" not in found


@pytest.mark.parametrize(
    "address", ["https://example.org/a?b=c#d", "http://10.0.0.1:8080/", "https://example.org/ü"]
)
def test_web_addresses_stay(address: str) -> None:
    assert link(f" {address} ") == address


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "//example.org",
        "https://",
        "https://a b",
        "http://[::",
        "https://example.org/" + "x" * 2_000,
    ],
)
def test_what_is_no_web_address_is_no_link(address: str | None) -> None:
    assert link(address) == ""
