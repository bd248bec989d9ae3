"""A selection that has followed changes of audiences asks whatever one that is made anew would ask."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from audiences.compiled import WEAR, CompiledAudience, Selection, Selections
from audiences.references import depths
from audiences.rules.dependencies import audiences_among, dependencies
from audiences.rules.evaluate import compile_rule
from audiences.rules.parse import parse
from audiences.rules.subject import PlainSubject
from tests.audiences.rules.strategies import rules, subjects
from tests.audiences.rules.world import PIXELS, WORLD, group, rule

IDS = range(1, 7)
NAMES = ("attribute.text", "attribute.number", "attribute.any", "pixel.1", "audience.3", "audience.4", "dimension.x")
Written = dict[int, Any]
edits = st.dictionaries(st.sampled_from(IDS), rules | st.none(), max_size=3)
asked = st.lists(st.none() | st.frozensets(st.sampled_from(NAMES), max_size=3), max_size=4)


def compiled(written: Written, before: dict[int, CompiledAudience]) -> dict[int, CompiledAudience]:
    """The audiences in order of rank; those that are as they were are the same objects."""
    parsed = {key: parse(rule, WORLD) for key, rule in written.items()}
    names = {key: dependencies(node) for key, node in parsed.items()}
    ranks = depths({key: audiences_among(of) for key, of in names.items()})
    found = {}
    for key in sorted(ranks, key=lambda key: (ranks[key], key)):
        known, source = before.get(key), (str(written[key]), ranks[key])
        found[key] = (
            known
            if known is not None and known.source == source
            else CompiledAudience(
                id=key,
                customer=1,
                version=1,
                rule=parsed[key],
                predicate=compile_rule(parsed[key]),
                dependencies=names[key],
                audiences=audiences_among(names[key]),
                asks_platforms=any(name.startswith("platform.") for name in names[key]),
                source=source,
                rank=ranks[key],
            )
        )
    return found


def selected(selections: Selections, names: frozenset[str] | None) -> Selection:
    return selections.all() if names is None else selections.affected(names)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(edits, asked), min_size=2, max_size=5), subjects)
def test_selections__that_followed_changes__ask_whatever_new_ones_ask(
    steps: list[tuple[dict[int, Any], list[frozenset[str] | None]]], subject: PlainSubject
) -> None:
    written: Written = {}
    audiences: dict[int, CompiledAudience] = {}
    followed = Selections({}, PIXELS)
    for edit, looked_up in steps:
        written = {key: rule for key, rule in {**written, **edit}.items() if rule is not None}
        audiences = compiled(written, audiences)
        earlier, followed = followed, Selections(audiences, PIXELS)
        followed.follow(earlier)
        fresh = Selections(audiences, PIXELS)
        for names in [*looked_up, None, *map(frozenset, ([name] for name in NAMES))]:
            mine, new = selected(followed, names), selected(fresh, names)
            asked_for = [audience.id for audience in mine.in_question(subject, IDS)]
            assert set(asked_for) >= {audience.id for audience in new.in_question(subject, IDS)}
            assert {one.id for one in mine.in_question(subject, ())} >= {one.id for one in new.in_question(subject, ())}
            assert all(audiences[one.id] is one for one in mine.audiences)
            places = {one.id: place for place, one in enumerate(mine.audiences)}
            assert all(places.get(other, -1) < places[one.id] for one in mine.audiences for other in one.audiences)
            assert mine.ids >= new.ids
            assert mine.asks_platforms >= new.asks_platforms


def test_selection__of_which_one_of_many_audiences_has_changed__is_not_made_anew() -> None:
    written = {key: group(rule("attribute.number", "=", key)) for key in range(1, 101)}
    before = compiled(written, {})
    first = Selections(before, PIXELS)
    first.affected(frozenset({"attribute.number"}))
    after = compiled({**written, 7: group(rule("attribute.number", "=", 1_000))}, before)
    second = Selections(after, PIXELS)
    second.follow(first)

    selection = second.affected(frozenset({"attribute.number", "attribute.that_no_rule_names"}))
    assert selection is second.affected(frozenset({"attribute.number"}))
    assert [one.id for one in selection.in_question(PlainSubject({"number": 1_000}), ())] == [7]
    assert selection._prefilter is first.affected(frozenset({"attribute.number"}))._prefilter


def test_selection__that_asks_changed_audiences_in_vain_again_and_again__is_made_anew_by_then() -> None:
    written = {key: group(rule("attribute.number", "=", key)) for key in range(1, 51)}
    first = Selections(compiled(written, {}), PIXELS)
    first.all()
    changed = {key: group(rule("attribute.number", "=", 1_000 + key)) for key in range(1, 11)}
    audiences = compiled({**written, **changed}, dict(first._audiences))
    second = Selections(audiences, PIXELS)
    second.follow(first)
    selection, fresh = second.all(), Selections(audiences, PIXELS).all()
    nobody = PlainSubject({"number": 0})

    evaluated = [len(list(selection.in_question(nobody, ()))) for _ in range(100)]

    assert evaluated[0] == len(changed)
    assert evaluated[-1] == 0
    assert sum(evaluated) <= WEAR * len(written)
    for number in (1, 11, 1_001):
        subject = PlainSubject({"number": number})
        assert list(selection.in_question(subject, ())) == list(fresh.in_question(subject, ()))
