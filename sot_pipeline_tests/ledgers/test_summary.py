from __future__ import annotations

from sot_pipeline.ledgers.summary import summarize
from sot_pipeline.workspace import LedgerSpec
from sot_pipeline_tests.ledgers.ledger_text import BUILDS, DEBUGGING, DECISIONS, parse


def test_summary_counts_every_ledger_and_names_the_latest_build() -> None:
    ledgers = [
        parse(
            "### BUILD-9 | 2026-01-02 | Nine\n\n### BUILD-10 | 2026-01-02 | Ten\n\n### BUILD-11 | 2025-01-01 | Old\n"
        ),
        parse("### DEC-1 | 2026-03-04T05:06 | A\n", DECISIONS),
        parse("### DBG-1 | 2026-01-01 | A\n\n### DBG-2 | 2026-01-01 | B\n", DEBUGGING),
        parse("## RISK-1: A\n", LedgerSpec("risk_log", "RISKS.md", "RISK")),
    ]

    text = summarize(ledgers)

    assert text == (
        "- **Builds**: 3, latest BUILD-10 (Ten, 2026-01-02)\n"
        "- **Architecture decisions**: 1\n"
        "- **Debugging sessions**: 2\n"
        "- **Risk log**: 1\n"
        "- **Last change**: 2026-03-04"
    )
    assert summarize(ledgers) == text


def test_dotted_number_is_later_than_its_build() -> None:
    text = summarize(
        [parse("### BUILD-7 | 2026-01-01 | A\n\n### BUILD-7.10 | 2026-01-01 | B\n\n### BUILD-7.9 | 2026-01-01 | C\n")]
    )

    assert "BUILD-7.10" in text


def test_hostile_title_stays_in_its_line() -> None:
    title = r"x <!-- SOT_SUMMARY_END --> <script> [a](javascript:b) `c` \<b> & | d"

    text = summarize([parse(f"### BUILD-1 | 2026-01-01 | P | {title}\n", BUILDS)])

    assert "<!--" not in text.replace("\\<", "")
    assert "[a]" not in text
    assert text.count("\n") == 1


def test_summary_of_nothing_says_so() -> None:
    assert summarize([]) == "No ledgers."
    assert summarize([parse("# empty\n")]) == "- **Builds**: 0"
