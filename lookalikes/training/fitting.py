"""Fits a model to rows: logistic regression over sparse features, judged by users whom it has not seen."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

from lookalikes.scoring.fields import FeatureField
from lookalikes.scoring.model import GRAIN, LinearModel, exact
from lookalikes.training.feature_rows import FeatureRows, Numbers, matrix, slot_counts
from lookalikes.training.figures import HeldOutScores, auc_error

SMALLEST_SEED = 100
RARE = 5  # a feature of fewer people says nothing about others, and much about them
STRENGTHS = (0.003, 0.03, 0.3, 3.0)  # how far weights may go: scikit-learn's C
TUNED_ROWS = 20_000
FOLDED_ROWS = 30_000  # up to so many, everybody is held out once; above, a fifth is
FOLDS = 5
HELD_OUT = 0.2
MARGIN, ERRORS = 0.03, 3.0  # how far above 0.5 an area must lie to be a signal, and in standard errors


class UntrainableError(ValueError):
    """No model comes of this seed; the message says why, with the figure. `auc`: the figure, if any."""

    def __init__(self, message: str, auc: float | None = None) -> None:
        super().__init__(message)
        self.auc = auc


@dataclass(frozen=True, slots=True)
class Examples:
    """`labels`: 1 for members of the seed. `taken`: the share of the seed, and of the others, that is among them."""

    rows: FeatureRows
    labels: Numbers
    taken: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Trained:
    """A model with its figures. `share`: of the examples that have each feature of the model, by slot."""

    model: LinearModel
    auc: float
    held_out: HeldOutScores
    strength: float
    share: dict[int, float]


def train(fields: tuple[FeatureField, ...], examples: Examples, random_state: int) -> Trained:
    """Returns a model; the same examples and `random_state` give the same one. Raises `UntrainableError`."""
    members = int(examples.labels.sum())
    check_seed(members)
    if members == len(examples.labels):
        raise UntrainableError("everybody is in the seed: there is nobody to tell it apart from")
    counts = slot_counts(examples.rows)
    columns = np.flatnonzero(counts >= RARE)
    if not len(columns):
        raise UntrainableError("nothing is known of the seed that could tell it apart", 0.5)
    x, y = matrix(examples.rows, columns), examples.labels
    strength = _tune(x, y, random_state)
    auc, held_out, fitted = _judge(x, y, strength, examples.taken, random_state)
    check_signal(auc, held_out)
    if len(y) <= FOLDED_ROWS:  # each fold's model has seen too little; of many examples, four fifths are enough
        fitted = _fit(x, y, strength)
    share = np.asarray(x.mean(axis=0)).ravel()
    return Trained(
        _model(fields, fitted, columns, _calibrate(held_out)),
        auc,
        held_out,
        strength,
        {int(slot): float(one) for slot, one in zip(columns, share, strict=True)},
    )


def check_seed(members: int) -> None:
    """Raises `UntrainableError` where the seed is too small."""
    if members < SMALLEST_SEED:
        raise UntrainableError(f"the seed has {members} members; it takes {SMALLEST_SEED} at least")


def check_signal(auc: float, held_out: HeldOutScores) -> None:
    """Raises `UntrainableError` where chance would do as well."""
    members = int(held_out.labels.sum())
    needed = 0.5 + max(MARGIN, ERRORS * auc_error(max(auc, 0.5), members, len(held_out.labels) - members))
    if auc < needed:
        raise UntrainableError(
            f"no signal: the held-out AUC is {auc:.3f} (0.5 is chance), and it takes {needed:.3f} with so many people",
            auc,
        )


def _fit(x: csr_matrix, y: Numbers, strength: float) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what is reached by then is judged all the same
        return LogisticRegression(C=strength, max_iter=100, tol=1e-4).fit(x, y)


def _tune(x: csr_matrix, y: Numbers, random_state: int) -> float:
    """Returns the strength whose chances fit best the people whom the model has not seen."""
    rows = np.arange(len(y))
    if len(rows) > TUNED_ROWS:
        rows, _ = next(_split(x, y, random_state, train_size=TUNED_ROWS, test_size=1))
    x, y = x[rows], y[rows]
    learn, judge = next(_split(x, y, random_state, test_size=0.3))
    losses = [log_loss(y[judge], _fit(x[learn], y[learn], one).predict_proba(x[judge])) for one in STRENGTHS]
    return STRENGTHS[int(np.argmin(losses))]


def _split(x: csr_matrix, y: Numbers, random_state: int, **sizes: float) -> Any:
    if sizes.get("test_size") == 1:
        sizes["test_size"] = 2  # one of each kind: nothing is judged by them
    return StratifiedShuffleSplit(1, random_state=random_state, **sizes).split(x, y)


def _judge(
    x: csr_matrix, y: Numbers, strength: float, taken: tuple[float, float], random_state: int
) -> tuple[float, HeldOutScores, Any]:
    """Returns the mean area under the curve over the folds, the scores of those held out, and the last fold's model."""
    folds = (
        StratifiedKFold(FOLDS, shuffle=True, random_state=random_state).split(x, y)
        if len(y) <= FOLDED_ROWS
        else _split(x, y, random_state, test_size=HELD_OUT)
    )
    areas, scores, labels = [], [], []
    for learn, judge in folds:
        fitted = _fit(x[learn], y[learn], strength)
        found = fitted.decision_function(x[judge])
        areas.append(roc_auc_score(y[judge], found))
        scores.append(found)
        labels.append(y[judge])
    known = np.concatenate(labels)
    weights = np.where(known == 1, 1 / taken[0], 1 / taken[1])
    return float(np.mean(areas)), HeldOutScores(np.concatenate(scores), known, weights), fitted


def _calibrate(held_out: HeldOutScores) -> tuple[float, float]:
    """Returns the slope and offset that make scores log-odds in the whole population (Platt's scaling)."""
    x = held_out.scores.reshape(-1, 1)
    fitted = LogisticRegression(C=1e6).fit(x, held_out.labels, sample_weight=held_out.weights / held_out.weights.mean())
    return float(fitted.coef_[0][0]), float(fitted.intercept_[0])


def _model(
    fields: tuple[FeatureField, ...], fitted: Any, columns: Numbers, calibrated: tuple[float, float]
) -> LinearModel:
    weights = np.array([exact(one) for one in fitted.coef_[0]])
    kept = np.abs(weights) >= GRAIN
    return LinearModel(
        fields,
        exact(float(fitted.intercept_[0])),
        columns[kept].astype("<u4").tobytes(),
        weights[kept].astype("<f8").tobytes(),
        *calibrated,
    )
