"""What the rules of the pipeline's machine are given: the values that hypothesis draws."""

from hypothesis import strategies as st

from activation.delivery.lanes import CREATION, LANES
from core.consent_mode import ConsentMode
from tests.support import drawn_rules
from tests.support.pipeline_world import (
    ADS,
    BROWSERS,
    EVERYBODY,
    FREQUENT,
    KINDS,
    NAMED_BY_SPARE,
    OTHERS,
    OWN,
    PLACES,
    PLATFORM_IDS,
    SPARE,
    SPARE_IDS,
)
from usersync.consent import ConsentJudge

rules = drawn_rules.rules_of(
    *(drawn_rules.amounts, drawn_rules.recency, drawn_rules.platforms),
    drawn_rules.frequencies([">=", "<"]),
    drawn_rules.audiences([EVERYBODY, FREQUENT]),
    most=2,
)
browsers = st.sampled_from(BROWSERS)
busy_places = st.sets(st.sampled_from(PLACES), max_size=3)
some_place = st.sampled_from([None, *PLACES])
lanes = st.sampled_from([CREATION, *range(LANES)])
accounts = st.sampled_from([ADS, OWN])
signals = st.sampled_from([{}, {}, {}, {"us_privacy": "1YNN"}, {"us_privacy": "1YYN"}])
synced = st.sampled_from([*[(ADS, value) for value in PLATFORM_IDS], *[(SPARE, value) for value in SPARE_IDS]])
troubles = st.sampled_from(
    [
        {"status": 429, "retry_after": 3},
        {"status": 500},
        {"status": 500, "applied": True},
        {"status": 404},
        {"status": 400},
        {"drop": True},
        {"drop": True, "applied": True},
    ]
)
devices = st.sampled_from(OTHERS)
some_ids = st.lists(st.sampled_from([*OTHERS, *OTHERS, *NAMED_BY_SPARE]), max_size=2, unique=True)
names = st.sampled_from([*BROWSERS, *KINDS, *PLATFORM_IDS])
statements = st.integers(1, 20)  # of a claim, at which something happens
few_rows = st.sampled_from([0, 1, 5])


def is_allowed(said: dict[str, str]) -> bool:
    """What the doors decide by the signals of a request: what is denied is not stored."""
    return ConsentJudge().permits(ConsentMode.WHEN_PRESENT, {**said}, gpc=False)
