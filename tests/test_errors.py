"""How a mistake reads."""

from hpo.errors import EXIT_FAILED, EXIT_INVALID, Issue, StudyFailed, UserError, unknown


def test_a_fault_reads_where_rule_value_remedy():
    issue = Issue("corpus.tsv:7", "a row needs two columns", "Stockholm", "separate them by a tab")
    assert str(issue) == "corpus.tsv:7: a row needs two columns (got 'Stockholm'; separate them by a tab)"


def test_value_and_remedy_are_left_out_where_there_are_none():
    assert str(Issue("x.yaml", "no such file")) == "x.yaml: no such file"


def test_a_value_that_is_false_is_still_shown():
    assert str(Issue("trials", "must be over 0", 0)) == "trials: must be over 0 (got 0)"
    assert str(Issue("tags", "must be a name", "")) == "tags: must be a name (got '')"


def test_an_error_holds_every_fault_a_line_each():
    issues = [Issue("a:1", "one"), Issue("a:2", "two")]
    error = UserError(iter(issues))
    assert error.issues == tuple(issues)
    assert str(error).splitlines() == ["a:1: one", "a:2: two"]


def test_an_unknown_name_is_refused_with_those_that_are_known():
    (issue,) = unknown("--alg", "algorithm", "ahsa", {"asha": 1, "grid": 2}).issues
    assert str(issue) == "--alg: unknown algorithm (got 'ahsa'; known: asha, grid)"


def test_refused_input_and_failed_work_exit_differently():
    assert UserError(Issue("a", "b")).exit_code == EXIT_INVALID == 2
    assert StudyFailed(Issue("a", "b")).exit_code == EXIT_FAILED == 1
