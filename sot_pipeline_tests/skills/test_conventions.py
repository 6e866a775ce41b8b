"""The public convention for skills, as warnings."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from sot_pipeline.plan import Problem, Severity
from sot_pipeline.skills.conventions import conventions
from sot_pipeline_tests.skills.documents import CORPUS, corpus, needs_corpus


def problems(front_matter: str, body: str = "", path: str = "tools/x", files: Collection[str] = ()) -> list[str]:
    """What is found, as "line: message"; a name and a description are there unless given."""
    lines = front_matter.split("\n") if front_matter else []
    for key, value in (("description", "d"), ("name", "x")):
        if not any(line.startswith(f"{key}:") for line in lines):
            lines.append(f"{key}: {value}")
    document = "\n".join(["---", *lines, "---", body]).encode()
    return [f"{found.line}: {found.message}" for found in conventions(path, document, files)]


def test_a_proper_skill_has_no_problems() -> None:
    fields = "license: MIT\ncompatibility: any\nallowed-tools: Read\nmetadata:\n  a: b\nweight: 1\n"
    fields += "model: opus\nargument-hint: '[x]'\nlicence: besides license"

    assert (
        problems(
            fields, "[a](references/a.md) [b](scripts/) [c](http://x.y/z)", files=["references/a.md", "scripts/b.sh"]
        )
        == []
    )


def test_a_problem_is_a_warning_with_its_place() -> None:
    found = conventions("tools/x", b"---\ndescription: d\nname: y\n---\n", ())

    assert found == (
        Problem(
            "skill_conventions",
            Severity.WARNING,
            "tools/x/SKILL.md",
            3,
            "The name 'y' is not that of the folder 'x': rename one of them.",
        ),
    )


@pytest.mark.parametrize(
    ("front_matter", "message"),
    [
        ("name: X-y", "2: The name 'X-y' may only have lowercase letters, digits and single hyphens between them."),
        ("name: x--y", "2: The name 'x--y' may only have"),
        ("name: -x", "2: The name '-x' may only have"),
        (f"name: {'x' * 65}", "2: The name has 65 characters, 64 are allowed"),
        ("name:", "2: The skill has no name: add 'name: x'"),
        ("name: [x]", "2: The skill has no name"),
        ("description: ' '", "2: The skill has no description: add 1 to 1024"),
        ("description: [a]", "2: The skill has no description"),
        (f"description: {'x' * 1025}", "2: The description has 1025 characters, 1024 are allowed"),
        (f"a: b\ncompatibility: {'x' * 501}", "3: The compatibility has 501 characters, 500 are allowed"),
        ("compatibility: [x]", "2: The skill has no compatibility"),
        ("metadata: x", "2: 'metadata' is no mapping"),
        ("weight: heavy", "2: 'weight' is no number"),
        ("weight: true", "2: 'weight' is no number"),
        ("tags: {a: b}", "2: 'tags' is no list of texts"),
        ("version: [1]", "2: 'version' is no text"),
        ("licence: x", "2: The key 'licence' is not known: is 'license' meant?"),
        ("alowed-tools: x", "2: The key 'alowed-tools' is not known: is 'allowed_tools' meant?"),
    ],
)
def test_each_rule_is_told_with_its_line(front_matter: str, message: str) -> None:
    found = [text for text in problems(front_matter) if message in text]

    assert found, problems(front_matter)


def test_a_document_without_front_matter_lacks_both() -> None:
    found = conventions(".", b"# Title\n[a](assets/x.png)\n", ())

    assert [(problem.path, problem.line) for problem in found] == [("SKILL.md", 1), ("SKILL.md", 1), ("SKILL.md", 2)]


def test_the_name_of_the_root_is_not_compared() -> None:
    assert problems("name: other", path=".") == []


def test_links_to_missing_files_are_told_outside_of_code() -> None:
    body = "\n".join(
        [
            "[a](references/a.md#part) and [b](./scripts/b.sh)",
            "`[c](references/c.md)` [d](elsewhere/d.md)",
            "~~~",
            "```",
            "[e](references/e.md)",
            "~~~",
            "```md",
            "[f](references/f.md)",
            "```",
            "[g](assets/g.png)",
        ]
    )

    assert problems("", body, files=["references/a.md"]) == [
        "5: There is no file 'scripts/b.sh' in the skill: add it, or mend the link.",
        "14: There is no file 'assets/g.png' in the skill: add it, or mend the link.",
    ]


@needs_corpus
def test_few_real_skills_break_the_convention() -> None:
    found = []
    for path, document in corpus():
        folder = CORPUS / path
        files = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
        found += [problem.message for problem in conventions(path, document, files)]

    assert [message for message in found if not message.startswith("There is no file")] == [
        "The description has 1068 characters, 1024 are allowed: move details to the body.",
        "The name 'postgresql-table-design' is not that of the folder 'postgresql': rename one of them.",
    ]
