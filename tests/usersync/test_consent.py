"""What each consent signal says, and what a customer's consent mode makes of it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.consent_mode import ConsentMode
from core.errors import InvalidParameterError
from core.query import Parameters, QueryString
from tests.support.consent_strings import gpp, tcf, us_section
from usersync import consent
from usersync import gpp as gpp_format
from usersync import tcf as tcf_format
from usersync.bits import MAX_CHARACTERS, UnreadableSignalError
from usersync.consent import ConsentJudge

VENDOR = 812
YES = tcf([1, 3], [VENDOR])
NO = tcf([3], [VENDOR])
OTHERS = tcf([1], [VENDOR + 1])
RESTRICTED = tcf([1], [VENDOR], restrictions=[(2, 0, [(800, 820)]), (1, 0, [(7, 7)]), (1, 1, [(812, 812)])])
US_YES, US_NO, US_SILENT = (us_section(3, [said, 2 if said == 1 else 0]) for said in (2, 1, 0))
OFF, PRESENT, REQUIRED = ConsentMode

# Published by others: the examples of IAB's documents and of its own encoders.
IAB_TCF = (
    "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA.IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQAIAgEAACEAAAAAgAQBAAAAAAAGBAAg"
    "AAAAAAAFAAECAAAgAAQARAEQAAAAAJAAIAAgAAAYQEAAAQmAgBC3ZAYzUw"
)
IAB_TCF_NO_PURPOSE = "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"


def _outcome(mode: ConsentMode, query: str, *, gpc: bool = False) -> str:
    return _judged(ConsentJudge(VENDOR), mode, QueryString(query.encode()).values, gpc=gpc)


def _judged(judge: ConsentJudge, mode: ConsentMode, values: Parameters, *, gpc: bool = False) -> str:
    try:
        return "yes" if judge.permits(mode, values, gpc=gpc) else "no"
    except InvalidParameterError as refusal:
        return f"bad-{refusal.parameter}"


@pytest.mark.parametrize(
    ("query", "present", "required"),
    [
        ("", "yes", "no"),
        ("gdpr=&gdpr_consent=&us_privacy=&gpp=&gpp_sid=", "yes", "no"),
        ("gdpr=0", "yes", "yes"),
        (f"gdpr=0&gdpr_consent={NO}", "yes", "yes"),
        ("gdpr=1", "no", "no"),
        ("gdpr=1&gdpr_consent=", "no", "no"),
        (f"gdpr=1&gdpr_consent={YES}", "yes", "yes"),
        (f"gdpr=1&gdpr_consent={NO}", "no", "no"),
        (f"gdpr=1&gdpr_consent={OTHERS}", "no", "no"),
        (f"gdpr=1&gdpr_consent={tcf([1], ranges=[(5, 900)])}", "yes", "yes"),
        (f"gdpr=1&gdpr_consent={tcf([1], ranges=[(5, 5), (813, 900)])}", "no", "no"),
        (f"gdpr=1&gdpr_consent={tcf([1], [VENDOR], restrictions=[(1, 0, [(800, 820)])])}", "no", "no"),
        (f"gdpr=1&gdpr_consent={RESTRICTED}", "yes", "yes"),
        ("gdpr=1&gdpr_consent=rubbish!", "no", "bad-gdpr_consent"),
        (f"gdpr=1&gdpr_consent={tcf(version=1)}", "no", "bad-gdpr_consent"),
        (f"gdpr=1&gdpr_consent={YES[:-8]}", "no", "bad-gdpr_consent"),
        ("gdpr=1&gdpr_consent=%ff", "no", "bad-gdpr_consent"),
        ("gdpr=1&gdpr_consent=$%7BGDPR_CONSENT_812%7D", "no", "bad-gdpr_consent"),
        (f"gdpr_consent={YES}", "yes", "yes"),
        (f"gdpr_consent={NO}", "no", "no"),
        ("gdpr_consent=rubbish!", "yes", "bad-gdpr_consent"),
        (f"gdpr=2&gdpr_consent={NO}", "no", "bad-gdpr"),
        ("gdpr=$%7BGDPR%7D", "yes", "bad-gdpr"),
        ("us_privacy=1---", "yes", "no"),
        ("us_privacy=1YNN", "yes", "yes"),
        ("us_privacy=1YYN", "no", "no"),
        ("us_privacy=1nyn", "no", "no"),
        ("us_privacy=1Y-N", "yes", "no"),
        ("us_privacy=2YYN", "yes", "bad-us_privacy"),
        ("us_privacy=1YY", "yes", "bad-us_privacy"),
        (f"us_privacy=1YNN&gdpr=1&gdpr_consent={NO}", "no", "no"),
        (f"us_privacy=1YYN&gdpr=1&gdpr_consent={YES}", "no", "no"),
        ("us_privacy=1YYN&gdpr=0", "no", "no"),
        ("gpp_sid=7", "yes", "no"),
        ("gpp_sid=2", "no", "no"),
        ("gpp_sid=-1", "yes", "no"),
        ("gpp_sid=1,2,3", "yes", "bad-gpp_sid"),
        ("gpp_sid=seven", "yes", "bad-gpp_sid"),
        (f"gpp_sid=2&gpp={gpp(s2=YES)}", "yes", "yes"),
        (f"gpp_sid=2&gpp={gpp(s2=NO)}", "no", "no"),
        (f"gpp_sid=2&gpp={gpp(s2='rubbish!')}", "no", "bad-gpp"),
        (f"gpp_sid=2&gpp={YES}", "no", "bad-gpp"),
        (f"gpp={gpp(s2=NO)}", "no", "no"),
        (f"gpp_sid=-1&gpp={gpp(s2=NO)}", "yes", "no"),
        (f"gpp_sid=6&gpp={gpp(s2=NO, s6='1YNN')}", "yes", "yes"),
        (f"gpp_sid=6&gpp={gpp(s6='1YYN')}", "no", "no"),
        (f"gpp_sid=9&gpp={gpp(s9=US_YES)}", "yes", "yes"),
        (f"gpp_sid=9&gpp={gpp(s9=US_NO)}", "no", "no"),
        (f"gpp_sid=9&gpp={gpp(s9=US_SILENT)}", "yes", "no"),
        (f"gpp_sid=9,6&gpp={gpp(s6='1YNN', s9=US_NO)}", "no", "no"),
        (f"gpp_sid=9&gpp={gpp(s9='B')}", "yes", "bad-gpp"),
        (f"gpp_sid=9&gpp={gpp(s9=US_NO)}~{US_NO}", "yes", "bad-gpp"),
        (f"gpp_sid=27&gpp={gpp(s27=US_NO)}", "yes", "no"),
    ],
)
def test_consent__signals__are_judged_by_consent_mode(query: str, present: str, required: str) -> None:
    assert _outcome(OFF, query) == "yes"
    assert _outcome(PRESENT, query) == present
    assert _outcome(REQUIRED, query) == required


@pytest.mark.parametrize("query", ["", "gdpr=0", f"gdpr_consent={YES}", "us_privacy=1YNN"])
def test_consent__global_privacy_control__is_a_no_unless_nothing_is_judged(query: str) -> None:
    assert [_outcome(mode, query, gpc=True) for mode in (OFF, PRESENT, REQUIRED)] == ["yes", "no", "no"]


@pytest.mark.parametrize(
    ("section", "notices", "opt_outs"),
    [
        (7, 6, 3),
        (8, 3, 2),
        *((section, 3, 2) for section in (9, 10, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22)),
        *((section, 4, 2) for section in (11, 18)),
    ],
)
def test_gpp__each_opt_out_of_each_us_section__is_a_no(section: int, notices: int, opt_outs: int) -> None:
    for place in range(opt_outs):
        said = [1 if here == place else 2 for here in range(opt_outs)]
        assert gpp_format.us_allows(section, us_section(notices, said)) is False
    assert gpp_format.us_allows(section, us_section(notices, [2] * opt_outs)) is True
    assert gpp_format.us_allows(section, us_section(notices, [0] * opt_outs)) is None
    assert gpp_format.us_allows(section, us_section(notices, [2] * opt_outs, gpc=True)) is False
    assert gpp_format.us_allows(section, us_section(notices, [2] * opt_outs, gpc=False)) is True
    assert gpp_format.us_allows(section, us_section(notices, [1] * opt_outs, version=9)) is None


def test_gpp__strings_of_others__are_read() -> None:
    assert gpp_format.sections(f"DBACNYA~{IAB_TCF_NO_PURPOSE}~1YNN") == {2: IAB_TCF_NO_PURPOSE, 6: "1YNN"}
    assert gpp_format.sections("DBABBg~BAAAAACA") == {8: "BAAAAACA"}
    assert gpp_format.us_allows(8, "BAAAAACA") is None
    assert gpp_format.sections("DBABDA~BPXuQIAPXuQIAAfKABENB-CgAAAAAAAAAAAAAAAA").keys() == {5}


def test_tcf__strings_of_others__are_read() -> None:
    assert [vendor for vendor in range(1, 20) if tcf_format.allows(IAB_TCF, vendor)] == [2, 6, 8]
    assert tcf_format.allows(IAB_TCF, None)
    assert not tcf_format.allows(IAB_TCF_NO_PURPOSE, None)


def test_tcf__no_vendor_id_of_ours__asks_for_the_purpose_only() -> None:
    assert tcf_format.allows(OTHERS, None)
    assert not tcf_format.allows(NO, None)


@pytest.mark.parametrize("text", [YES, IAB_TCF.partition(".")[0], tcf([1], ranges=[(1, 900)])])
def test_tcf__cut_short__never_says_yes(text: str) -> None:
    for length in range(len(text) - 1):  # the last character may be nothing but filling
        with pytest.raises(UnreadableSignalError):
            tcf_format.allows(text[:length], None)


@given(text=st.text("ABCYZabz019_-.~", max_size=200) | st.text(max_size=50), vendor=st.none() | st.integers(1, 65535))
def test_consent__anything__is_read_or_unreadable(text: str, vendor: int | None) -> None:
    judge = ConsentJudge(vendor)
    for name in consent.CONSENT_PARAMETERS:
        assert judge.permits(PRESENT, {name: text}, gpc=False) in {True, False}
        assert _judged(judge, REQUIRED, {name: text}) in {"yes", "no", f"bad-{name}"}


@given(purposes=st.sets(st.integers(1, 24)), vendors=st.sets(st.integers(1, 2000)), vendor=st.integers(1, 2000))
def test_tcf__encoded__is_read_as_it_was_meant(purposes: set[int], vendors: set[int], vendor: int) -> None:
    assert tcf_format.allows(tcf(purposes, vendors), vendor) == (1 in purposes and vendor in vendors)


def test_consent__strings_made_to_keep_us_busy__cost_little() -> None:
    longest = MAX_CHARACTERS
    hostile = [
        "CP" + "_" * (longest - 2),
        "CP" + "A" * (longest - 2),
        "DBA_" + "_" * (longest - 4),
        "DBA_" + "A" * longest,
    ]
    hostile += ["~" * longest, "_" * 1_000_000, tcf([1], ranges=[(1, 65535)] * 1200)]
    began = time.process_time()
    for text in hostile:
        for name in ("gdpr_consent", "gpp"):
            ConsentJudge(VENDOR).permits(PRESENT, {name: text}, gpc=False)
    assert time.process_time() - began < 0.2


def test_carried__signals_of_a_query__are_passed_on_as_they_came() -> None:
    raw = b"m=1&gdpr=1&data=%7B%7D&gdpr_consent=C%50x&us_privacy=&x=gpp&gpp_sid=7%2C8"
    assert consent.carried(raw) == b"&gdpr=1&gdpr_consent=C%50x&us_privacy=&gpp_sid=7%2C8"
    assert consent.carried(b"m=1&id=2") == b""
