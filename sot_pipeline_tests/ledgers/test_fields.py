from __future__ import annotations

from sot_pipeline.ledgers.fields import Field, Link, fields_and_links


def test_fields_of_lines_paragraphs_and_lists_are_found() -> None:
    fields, _ = fields_and_links(
        "**Status**: ✅ done\n**Files changed:** `a.py`\n\n- **Owner**: *me*\n\n**Bold** word\n"
    )

    assert fields == (Field("Status", "✅ done"), Field("Files changed", "a.py"), Field("Owner", "me"))


def test_links_are_found_outside_code() -> None:
    _, links = fields_and_links(
        "See [the **plan**](docs/p.md) and <https://x.org>.\n\n```\n[no](link)\n```\n\n| [t](u) |\n|--|\n"
    )

    assert links == (Link("the plan", "docs/p.md"), Link("https://x.org", "https://x.org"), Link("t", "u"))


def test_text_without_either_has_none() -> None:
    assert fields_and_links("plain\n") == ((), ())
