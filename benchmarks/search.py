"""How well search finds: recall@5 and MRR@10 of its three modes, beside two peers in the same run.

    python benchmarks/search.py --ledgers FOLDER --skills FOLDER --output search.json

The first folder has a project's `docs/` in it, the second folders with a SKILL.md each; give one or
both. Known-item questions are made from the data, never by hand, and from anything but the title:
an index row's summary, a field's first sentence, six words in a row of a field, a skill's
description (which is then left out of what is searched). Skills are measured twice: as entries of a
ledger, and as skills. Peers: plain FTS5 over whole entries, and
rank fusion of our own keyword and semantic lists.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sot_pipeline.index_points import index_points
from sot_pipeline.ledgers.fields import fields_and_links
from sot_pipeline.ledgers.project import read_project
from sot_pipeline.outcome import Mode
from sot_pipeline.plan import SKILL, Record, RecordKey
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.search.answer import SearchMode
from sot_pipeline.search.search import open_search
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.sync import sync_projects
from sot_pipeline.sync_skills import sync_skills_of
from sot_pipeline.targets.vectors.kinds import Kind
from sot_pipeline.workspace import Workspace, load_workspace

Ranking = Sequence[RecordKey]

WORDS_A_QUESTION = 6
FIELDS_AN_ENTRY = 2
LONGEST_QUESTION = 30
RRF_K = 60  # Cormack, Clarke and Büttcher, SIGIR 2009
RRF_DEPTH = 100
_WORD = re.compile(r"[^\W_]+")
_FRONT_MATTER = re.compile(
    r"---\n.*?^description:(?P<description>.*?)(?=^[\w-]+:|^---).*?^---\n(?P<body>.*)", re.S | re.M
)
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s")
_HEADING = re.compile(r"^#{1,3}(?=\s)", re.MULTILINE)  # deeper ones belong to the entry as they are


@dataclass(frozen=True)
class Question:
    """A query, the one entry it was made from, and what of the entry it was made of."""

    kind: str
    query: str
    answer: RecordKey


def words_of(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def questions_of(record: Record) -> Iterator[Question]:
    """The questions an entry gives, the same in every run: nothing of them is its title."""
    rng = random.Random("\0".join(record.key))
    summary = summary_of(record).strip()
    if summary not in {"", record.content.strip(), record.title.strip()}:
        yield Question("summary", " ".join(summary.split()[:LONGEST_QUESTION]), record.key)
    values = [field.value for field in fields_and_links(record.content)[0]]
    values = [value for value in values if len(value.split()) > WORDS_A_QUESTION]
    for value in rng.sample(values, min(FIELDS_AN_ENTRY, len(values))):
        sentence, words = _SENTENCE_END.split(value)[0], value.split()
        start = rng.randrange(len(words) - WORDS_A_QUESTION)
        yield Question("sentence", " ".join(sentence.split()[:LONGEST_QUESTION]), record.key)
        yield Question("phrase", " ".join(words[start : start + WORDS_A_QUESTION]), record.key)


def summary_of(record: Record) -> str:
    row = record.metadata.get("index")
    cells = row if isinstance(row, dict) else {}
    return next((str(text) for name, text in cells.items() if name in {"Summary", "Decision"}), "")


def rank_fusion(lists: Sequence[Ranking]) -> Ranking:
    scores: dict[RecordKey, float] = {}
    for ranking in lists:
        for rank, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + 1 / (RRF_K + rank)
    return sorted(scores, key=lambda key: (-scores[key], key))


def plain_full_text(records: Sequence[Record]) -> Callable[[str], Ranking]:
    """What most tools do: one FTS5 row an entry, BM25 with the defaults."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE entries USING fts5(title, content, tokenize = 'porter unicode61')")
    database.executemany(
        "INSERT INTO entries (rowid, title, content) VALUES (?, ?, ?)",
        [(number, record.title, record.content) for number, record in enumerate(records)],
    )

    def ask(query: str) -> Ranking:
        match = " OR ".join(f'"{word}"' for word in dict.fromkeys(words_of(query)))
        rows = database.execute("SELECT rowid FROM entries WHERE entries MATCH ? ORDER BY rank LIMIT 10", (match,))
        return [records[number].key for (number,) in rows]

    return ask


def measures(questions: Sequence[Question], rankings: Sequence[Ranking]) -> dict[str, float]:
    """recall@5: share of questions whose entry is among five; MRR@10: mean of 1/rank, 0 beyond ten."""
    ranks = [
        next((rank for rank, key in enumerate(ranking[:10], start=1) if key == question.answer), None)
        for question, ranking in zip(questions, rankings, strict=True)
    ]
    found = [rank for rank in ranks if rank]
    return {
        "recall@5": round(sum(rank <= 5 for rank in found) / len(ranks), 3),
        "mrr@10": round(sum(1 / rank for rank in found) / len(ranks), 3),
    }


def by_kind(questions: Sequence[Question], rankings: Sequence[Ranking]) -> dict[str, dict[str, float]]:
    """The measures over all questions and over those of each kind."""
    found = {"all": measures(questions, rankings)}
    for kind in dict.fromkeys(question.kind for question in questions):
        chosen = [pair for pair in zip(questions, rankings, strict=True) if pair[0].kind == kind]
        found[kind] = measures([question for question, _ in chosen], [ranking for _, ranking in chosen])
    return found


def evaluate(workspace: Workspace, questions: Sequence[Question] | None = None) -> dict[str, object]:
    """Sync `workspace` and measure every line over `questions`, or over those its entries give."""
    report = sync_projects(workspace, Mode.FULL, projects=workspace.projects, execute=True, deadline=Deadline.never())
    if report.error:
        raise report.error
    records = [record for project in workspace.projects for record in read_project(project).records]
    asked = questions or [question for record in records for question in questions_of(record)]
    queries = [question.query for question in asked]
    lists = {mode.value: ask_all(workspace, mode, queries) for mode in SearchMode}
    plain = plain_full_text(records)
    lists["plain FTS5"] = [plain(query) for query in queries]
    pairs = zip(lists[SearchMode.KEYWORD.value], lists[SearchMode.SEMANTIC.value], strict=True)
    lists["rank fusion"] = [rank_fusion(pair) for pair in pairs]
    return {
        "entries": len(records),
        "questions": len(asked),
        "lines": {name: by_kind(asked, rankings) for name, rankings in lists.items()},
    }


def ask_all(workspace: Workspace, mode: SearchMode, queries: Sequence[str]) -> list[Ranking]:
    with open_search(workspace, workspace.projects, mode=mode, deadline=Deadline.never()) as searching:
        return [[hit.key for hit in answer.results] for answer in searching.answers(queries, limit=RRF_DEPTH)]


def workspace_over(root: Path, folder: Path, ledger: str = "") -> Workspace:
    """A workspace in `folder` on the project in `root`: SQLite, embedded engine, local embedder."""
    config = folder / "sot.toml"
    project = f'[[project]]\nid = "evaluated"\nroot = {json.dumps(str(root.resolve()))}\n{ledger}'
    config.write_text(f'[workspace]\nqdrant = "points"\nembedding = "local"\n{project}')
    return load_workspace(config, env={})


def skills_as_ledger(source: Path, target: Path) -> list[Question]:
    """Write every SKILL.md below `source` into one ledger at `target`; questions are the descriptions."""
    sections: list[str] = []
    questions: list[Question] = []
    for number, file in enumerate(sorted(source.rglob("SKILL.md")), start=1):
        found = _FRONT_MATTER.match(file.read_text(encoding="utf-8"))
        if not found:
            continue
        name, body = file.parent.name, found["body"]
        sections.append(f"### SKILL-{number} | {name}\n\n{_HEADING.sub('####', body)}")
        words = found["description"].strip(" \"'>|\n").split()
        key = RecordKey("evaluated", "skill", f"SKILL-{number}")
        questions.append(Question("description", " ".join(words[:LONGEST_QUESTION]), key))
        start = random.Random(name).randrange(max(1, len(words) - WORDS_A_QUESTION))
        questions.append(Question("phrase", " ".join(words[start : start + WORDS_A_QUESTION]), key))
    target.write_text("# Skills\n\n## SKILLS\n\n" + "\n\n".join(sections), encoding="utf-8")
    return questions


def skills_as_skills(source: Path, target: Path, questions: Sequence[Question]) -> list[Question]:
    """Write every SKILL.md below `source` into a folder of its own, without its description; the same questions."""
    keys: dict[RecordKey, RecordKey] = {}
    for number, file in enumerate(sorted(source.rglob("SKILL.md")), start=1):
        found = _FRONT_MATTER.match(file.read_text(encoding="utf-8"))
        if found:
            name = file.parent.name
            folder = target / f"{number}-{name}"
            folder.mkdir(parents=True)
            (folder / "SKILL.md").write_text(f"---\nname: {json.dumps(name)}\n---\n{found['body']}", encoding="utf-8")
            keys[RecordKey("evaluated", SKILL, f"SKILL-{number}")] = RecordKey("evaluated", SKILL, folder.name)
    return [Question(question.kind, question.query, keys[question.answer]) for question in questions]


def evaluate_skills(workspace: Workspace, questions: Sequence[Question]) -> dict[str, object]:
    """Sync the skills of `workspace` and measure every mode over `questions`; `milliseconds` is CPU time a query."""
    projects, never = workspace.projects, Deadline.never()
    report = sync_skills_of(workspace, projects, Direction.EXPORT, execute=True, deadline=never)
    error = report.error or index_points(workspace, projects, kind=Kind.SKILLS, execute=True, deadline=never).error
    if error:
        raise error
    lines, milliseconds = {}, {}
    for mode in SearchMode:
        started = time.process_time()
        lines[mode.value] = by_kind(questions, ask_all(workspace, mode, [question.query for question in questions]))
        milliseconds[mode.value] = round(1000 * (time.process_time() - started) / len(questions), 2)
    return {
        "entries": len(report.projects[0].database.created) if report.projects[0].database else 0,
        "questions": len(questions),
        "lines": lines,
        "milliseconds": milliseconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ledgers", type=Path, help="a project's folder")
    parser.add_argument("--skills", type=Path, help="a folder with skills below it")
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    figures: dict[str, object] = {}
    if options.ledgers:
        with tempfile.TemporaryDirectory() as folder:
            figures["ledgers"] = evaluate(workspace_over(options.ledgers, Path(folder)))
    if options.skills:
        with tempfile.TemporaryDirectory() as folder:
            questions = skills_as_ledger(options.skills, Path(folder) / "SKILLS.md")
            ledger = '[[project.ledger]]\nfile_type = "skill"\nprefix = "SKILL"\npath = "SKILLS.md"\n'
            figures["skills as a ledger"] = evaluate(workspace_over(Path(folder), Path(folder), ledger), questions)
        with tempfile.TemporaryDirectory() as folder:
            questions = skills_as_skills(options.skills, Path(folder) / "skills", questions)
            skills = workspace_over(Path(folder), Path(folder), "[project.skills]\n")
            figures["skills"] = evaluate_skills(skills, questions)
    text = json.dumps(figures, indent=2)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
