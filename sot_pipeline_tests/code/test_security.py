"""Security columns of Python files."""

from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline.code import security
from sot_pipeline.code.security import security_of

SOURCES = {
    "clean.py": "x = 1\n",
    # subprocess with a shell: high; and its import: low
    "shell.py": "import subprocess\n\n\ndef f(a):\n    subprocess.call(a, shell=True)\n",
    "broken.py": "def f(:\n",
    "page.js": "eval(x)\n",
    "json.py": "open('ran', 'w')\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, source in SOURCES.items():
        (tmp_path / path).write_text(source)
    return tmp_path


def test_findings_lower_the_score_and_only_grave_ones_are_vulnerabilities(root: Path) -> None:
    found = security_of(root, tuple(SOURCES), seconds=60)

    assert not isinstance(found, str)
    assert not (root / "ran").exists()  # the project's own json.py was not taken for Python's
    assert set(found) == {"clean.py", "shell.py", "json.py"}  # what was not read is not called safe
    assert found["clean.py"].values == {"security_score": 100.0, "vulnerability_count": 0}
    assert found["shell.py"].values == {"security_score": 100.0 - 25 - 2, "vulnerability_count": 1}
    status = found["shell.py"].status["security_score"]
    assert isinstance(status, dict)
    assert status["tool"] == "bandit"


def test_what_keeps_bandit_from_an_answer_is_a_reason(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "took more than" in str(security_of(root, tuple(SOURCES), seconds=0.001))

    monkeypatch.setattr("sys.executable", "/bin/false")
    assert security_of(root, ("clean.py",), seconds=60) == "bandit failed: no report"

    def missing(_: str) -> str:
        raise security.PackageNotFoundError

    monkeypatch.setattr(security, "version", missing)
    assert security_of(root, ("clean.py",), seconds=60) == "bandit is not installed"


def test_no_python_no_run(root: Path) -> None:
    assert security_of(root, ("page.js",), seconds=60) == {}
