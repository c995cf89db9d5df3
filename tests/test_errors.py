"""The text of issues and errors."""

from hpo.errors import EXIT_FAILED, EXIT_INVALID, Issue, StudyFailed, UserError, unknown


def test_issue_str_has_location_message_value_and_hint():
    issue = Issue("corpus.tsv:7", "a row needs two columns", "Stockholm", "separate them by a tab")
    assert str(issue) == "corpus.tsv:7: a row needs two columns (got 'Stockholm'; separate them by a tab)"


def test_issue_str_omits_missing_value_and_hint():
    assert str(Issue("x.yaml", "no such file")) == "x.yaml: no such file"


def test_issue_str_shows_falsy_value():
    assert str(Issue("trials", "must be over 0", 0)) == "trials: must be over 0 (got 0)"
    assert str(Issue("tags", "must be a name", "")) == "tags: must be a name (got '')"


def test_user_error_str_has_one_line_per_issue():
    issues = [Issue("a:1", "one"), Issue("a:2", "two")]
    error = UserError(iter(issues))
    assert error.issues == tuple(issues)
    assert str(error).splitlines() == ["a:1: one", "a:2: two"]


def test_unknown_lists_known_names():
    (issue,) = unknown("--alg", "algorithm", "ahsa", {"asha": 1, "grid": 2}).issues
    assert str(issue) == "--alg: unknown algorithm (got 'ahsa'; known: asha, grid)"


def test_exit_code_differs_for_invalid_input_and_failed_study():
    assert UserError(Issue("a", "b")).exit_code == EXIT_INVALID == 2
    assert StudyFailed(Issue("a", "b")).exit_code == EXIT_FAILED == 1
