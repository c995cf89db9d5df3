"""A search without Ray and a small corpus, for the tests of workflows."""

import json

import pytest

from hpo.corpora.demo import generate
from hpo.search.trial import State


def run_search_in_process(controller, run_trial, resources):
    """One worker without Ray."""
    while (trial := controller.next_trial()) is not None:
        continues = True

        def report(measurement, number=trial.number):
            nonlocal continues
            continues = controller.on_result(number, measurement)
            return continues

        run_trial(trial.worker_config(), report)
        if continues:
            controller.on_trial_end(trial.number, State.COMPLETE)


@pytest.fixture(scope="session")
def search_in_process():
    """The function that replaces ``hpo.search.ray.driver.run_search``."""
    return run_search_in_process


@pytest.fixture(scope="session")
def write_demo_corpus():
    """Writes the first sentences of each split of the demo as JSON lines."""

    def write(folder, counts):
        folder.mkdir()
        for split, count in counts.items():
            lines = [
                json.dumps({"id": each.id, "tokens": each.tokens, "ner_tags": each.labels})
                for each in generate(1).splits[split][:count]
            ]
            (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return folder

    return write
