"""Public data with a known outcome: CDNOW's customers of the first twelve weeks, and those who bought again later."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from lookalikes.training.feature_rows import FeatureRows, matrix, score_all, slot_counts
from lookalikes.training.figures import lift_curve
from lookalikes.training.fitting import Examples, Trained, UntrainableError, train
from tests.support.purchase_profiles import customers


@pytest.fixture(scope="module")
def examples() -> Examples:
    people = customers()
    return people.examples(people.fields())


@pytest.fixture(scope="module")
def trained(examples: Examples) -> Trained:
    return train(customers().fields(), examples, random_state=3)


def tuned_auc(examples: Examples) -> float:
    """Of scikit-learn's own, tuned on the same features, over the same kind of folds."""
    x, y = matrix(examples.rows, np.flatnonzero(slot_counts(examples.rows))), examples.labels
    areas = []
    for learn, judge in StratifiedKFold(3, shuffle=True, random_state=11).split(x, y):
        inner = StratifiedKFold(3, shuffle=True, random_state=12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its next release will name its options otherwise
            model = LogisticRegressionCV(Cs=[0.001, 0.01, 0.1, 1.0], cv=inner, scoring="roc_auc", max_iter=300)
            model.fit(x[learn], y[learn])
        areas.append(roc_auc_score(y[judge], model.decision_function(x[judge])))
    return float(np.mean(areas))


def test_model__of_those_who_bought_again__is_as_good_as_the_tuned_one(examples: Examples, trained: Trained) -> None:
    assert trained.auc > 0.62
    assert trained.auc == pytest.approx(tuned_auc(examples), abs=0.01)


def test_lift__falls_with_size_and_is_what_the_scores_say(trained: Trained) -> None:
    curve = {point["percent"]: point for point in lift_curve(trained.held_out, 10_000)}
    assert curve[1]["lift"] > curve[10]["lift"] > curve[20]["lift"] > 1.2
    order = np.argsort(-trained.held_out.scores)[: len(trained.held_out.scores) // 5]
    among_the_closest = trained.held_out.labels[order].mean() / trained.held_out.labels.mean()
    assert curve[20]["lift"] == pytest.approx(among_the_closest, abs=0.02)
    assert curve[20]["people"] == 2_000


def test_chances__are_those_of_the_people_held_out(trained: Trained) -> None:
    chances = np.array([trained.model.chance(score) for score in trained.held_out.scores])
    for low, high in ((0.3, 0.45), (0.45, 0.6), (0.6, 0.8)):
        inside = (chances >= low) & (chances < high)
        assert trained.held_out.labels[inside].mean() == pytest.approx(chances[inside].mean(), abs=0.04)


def test_shuffled_labels__are_refused_with_the_figure(examples: Examples) -> None:
    shuffled = replace(examples, labels=np.random.default_rng(5).permutation(examples.labels))
    with pytest.raises(UntrainableError, match=r"held-out AUC is 0\.\d+ \(0\.5 is chance\)") as refused:
        train(customers().fields(), shuffled, random_state=3)
    assert refused.value.auc == pytest.approx(0.5, abs=0.03)


def test_model__same_number__is_the_same(examples: Examples, trained: Trained) -> None:
    again = train(customers().fields(), examples, random_state=3)
    assert again.model == trained.model
    assert again.auc == trained.auc


def test_scores__of_the_whole_log__separate_the_two(examples: Examples, trained: Trained) -> None:
    scores = score_all(trained.model, examples.rows)
    assert roc_auc_score(examples.labels, scores) > trained.auc - 0.01


def test_many_examples__are_judged_by_a_fifth_of_them(examples: Examples, trained: Trained) -> None:
    rows = FeatureRows()
    rows.extend(examples.rows)
    rows.extend(examples.rows)
    twice = Examples(rows, np.concatenate([examples.labels, examples.labels]), (1.0, 1.0))
    found = train(customers().fields(), twice, random_state=3)
    assert len(found.held_out.scores) == pytest.approx(len(rows) / 5, abs=1)
    assert found.auc == pytest.approx(trained.auc, abs=0.02)
