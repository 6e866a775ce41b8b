"""The CI plugin, run on small suites of its own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

PLUGIN = ("-p", "sot_pipeline_tests.no_skips")
SKIPPED_TEST = 'import pytest\n\ndef test_a():\n    pytest.skip("no corpus")\n'
SKIPPED_MODULE = 'import pytest\n\npytest.skip("no browser", allow_module_level=True)\n'
EXPECTED_FAILURE = "import pytest\n\n@pytest.mark.xfail(strict=True)\ndef test_a():\n    assert False\n"


@pytest.mark.parametrize(
    ("source", "reason"), [(SKIPPED_TEST, "no corpus"), (SKIPPED_MODULE, "no browser")], ids=["test", "module"]
)
def test_a_skip_fails_with_its_reason(pytester: pytest.Pytester, source: str, reason: str) -> None:
    pytester.makepyfile(source)

    result = pytester.runpytest(*PLUGIN)

    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"*which CI does not allow: Skipped: {reason}"])


def test_a_skip_in_a_worker_fails_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SKIPPED_TEST)

    result = pytester.runpytest(*PLUGIN, "--numprocesses", "1")

    result.assert_outcomes(failed=1)


def test_an_expected_failure_is_no_skip(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(EXPECTED_FAILURE)

    result = pytester.runpytest(*PLUGIN)

    result.assert_outcomes(xfailed=1)


def test_without_the_plugin_a_skip_stays_a_skip(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SKIPPED_TEST)

    result = pytester.runpytest()

    result.assert_outcomes(skipped=1)
