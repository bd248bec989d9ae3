"""The rule builder: what it offers is what the parser takes, and what is chosen in it is written as JSON.

Its script runs in a real browser, on a page without a console around it.
"""

import json
import re
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from audiences.rules.errors import Location
from audiences.rules.fields import operators_of, read_field
from audiences.rules.parse import parse
from audiences.schema import schema_of
from core.environment import PROJECT_ROOT
from core.models import Customer
from integrations.models import Platform
from profiles.models import Attribute, Pixel
from tests.support.browser import FLAGS, find_browser
from tests.support.console_people import browser_of

SCRIPT = PROJECT_ROOT / "console" / "static" / "dmphub" / "rule_builder.js"
PAGE = """<!doctype html><meta charset="utf-8"><title>Builder</title>
<div id="root"></div><details id="folded"><textarea id="text"></textarea></details><pre id="told"></pre>
<script>{script}</script>
<script>
const text = document.getElementById("text"), root = document.getElementById("root"), steps = [];
let inputs = 0;
text.addEventListener("input", () => {{ inputs += 1; }});
text.value = JSON.stringify({rule});
if ({raw}) text.value = {raw};
ruleBuilder(root, text, {known});
const all = (css) => [...root.querySelectorAll(css)];
const pick = (label, value, nth = 0) => {{
  const found = all(`select`).filter((one) => one.ariaLabel === label)[nth];
  found.value = value;
  found.dispatchEvent(new Event("change"));
}};
const type = (label, value, nth = 0) => {{
  const found = all("input").filter((one) => one.ariaLabel === label)[nth];
  found.value = value;
  found.dispatchEvent(new Event("input"));
}};
const press = (label, nth = 0) => all("button").filter((one) => one.textContent === label)[nth].click();
{steps}
document.getElementById("told").textContent = JSON.stringify({{
  rule: text.value, inputs, open: document.getElementById("folded").open,
  shown: all("input").map((one) => one.value), words: root.innerText,
}});
</script>
"""

Rule = dict[str, Any]


@pytest.fixture
def shop(db: None) -> Customer:
    customer = Customer.objects.create(m=1, name="Shop")
    for type_ in Attribute.Type.values:
        Attribute.objects.create(customer=customer, path=f"a.{type_}", type=type_, enabled=True)
    Attribute.objects.create(customer=customer, path="hidden", enabled=False)
    Pixel.objects.create(id=7, customer=customer, name="front page")
    Platform.objects.create(pl=9, customer=customer, name="Ads <b>", connector="none")
    return customer


def offered(client: Client, **asked: int | str) -> dict[str, Any]:
    answer = client.get("/audiences/rule-fields/", asked)
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


def all_fields(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {field["name"]: field for group in told["groups"] for field in group["fields"]}


def condition(field: str, operator: str, value: Any, **more: Any) -> Rule:
    return {"field": field, "operator": operator, "value": value, **more}


def all_of(*rules: Rule) -> Rule:
    return {"combinator": "and", "rules": list(rules)}


def test_fields__are_those_that_the_parser_takes__with_its_operators(console: Client, shop: Customer) -> None:
    told = offered(console, customer=1)

    fields = all_fields(told)
    assert {"attribute.a.string", "pixel.7.count", "dimension._geo_c", "platform", "split.control"} <= set(fields)
    assert not {"attribute.hidden", "audience"} & set(fields)
    for name, field in fields.items():
        read = read_field(name, schema_of(1), Location("", []))
        assert read is not None
        assert set(field["operators"]) == set(operators_of(read)) <= set(told["words"])
    assert fields["platform"]["choices"] == [[9, "Ads <b>"]]


@pytest.mark.parametrize(
    "asked", [{}, {"customer": ""}, {"customer": "x"}, {"customer": "2"}, {"customer": "1", "audience": "-"}]
)
def test_fields__of_nobody__are_those_of_every_customer_at_most(
    console: Client, shop: Customer, asked: dict[str, str]
) -> None:
    names = set(all_fields(offered(console, **asked)))
    assert not any(name.startswith(("attribute", "pixel", "platform")) for name in names)


def test_fields__are_shown_to_nobody_who_may_not_see_audiences(shop: Customer) -> None:
    client = browser_of(User.objects.create(username="guest", is_staff=True))
    assert client.get("/audiences/rule-fields/", {"customer": 1}).status_code == 403


class Builder:
    """The script in a browser: `run` draws a rule, does the steps and answers what was told in the end."""

    def __init__(self, folder: Path, known: dict[str, Any]) -> None:
        self._page = folder / "builder.html"
        self._profile = folder / "browser"
        self._known = known

    def run(self, rule: Rule, *steps: str, raw: str = "") -> dict[str, Any]:
        values = {"rule": json.dumps(rule), "known": json.dumps(self._known), "raw": json.dumps(raw)}
        script = SCRIPT.read_text(encoding="utf-8")
        self._page.write_text(PAGE.format(script=script, steps=";\n".join(steps), **values), encoding="utf-8")
        command = [find_browser(), *FLAGS, f"--user-data-dir={self._profile}", "--dump-dom", self._page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
        assert found is not None
        told: dict[str, Any] = json.loads(unescape(found[1]))
        return told


@pytest.fixture
def builder(tmp_path: Path, console: Client, shop: Customer) -> Builder:
    return Builder(tmp_path, offered(console, customer=1))


def test_rule_built_by_hand__is_the_json_that_the_parser_takes(builder: Builder) -> None:
    told = builder.run(
        all_of(condition("attribute.a.string", "=", "DE")),
        'pick("how these are joined", 3)',
        'press("+ Condition")',
        'pick("field", "pixel.7.count", 1)',
        'pick("operator", ">=", 1)',
        'type("value", "3", 1)',
        'type("in how many days, today included; empty: ever", "30")',
        'press("+ Group")',
        'pick("field", "attribute.a.time", 2)',
        'pick("operator", "withinLast", 2)',
        'type("how many", "2")',
        'pick("unit", 3)',
        'press("+ Condition", 0)',
        'pick("field", "attribute.a.number", 3)',
        'pick("operator", "between", 3)',
        'type("from", "1.5")',
        'type("to", "20")',
    )

    rule = json.loads(told["rule"])
    assert rule == {
        "combinator": "or",
        "not": True,
        "rules": [
            condition("attribute.a.string", "=", "DE"),
            condition("pixel.7.count", ">=", 3, days=30),
            all_of(
                condition("attribute.a.time", "withinLast", "P2W"),
                condition("attribute.a.number", "between", [1.5, 20]),
            ),
        ],
    }
    parse(rule, schema_of(1))
    assert told["inputs"] == 16


def test_rule__of_everything__is_drawn_and_left_as_it_was(builder: Builder) -> None:
    rule = all_of(
        condition("attribute.a.string", "in", ["a, b", 'c"', "1"]),
        condition("attribute.a.mixed", "=", "1"),
        condition("attribute.a.mixed", "in", [1, "1", True, "word"]),
        condition("attribute.a.boolean", "=", False),
        condition("attribute.unknown", "contains", " x "),
        condition("platform", "in", 9),
        condition("split.other", "<", 10),
        condition("pixel.7.last", "withinLast", "P1DT2H"),
        {"field": "attribute.a.string", "operator": "notNull", "id": "kept"},
        {"field": "attribute.a.time", "operator": "isThisMonth"},
        condition("attribute.a.time", "anniversaryWithinNext", "P23D"),
        condition("attribute.a.time", ">=", "2026-03-01"),
    )
    told = builder.run(rule, 'press("+ Condition")', 'press("×", 12)')

    assert json.loads(told["rule"]) == rule
    assert '"1"' in told["shown"]
    assert {"P1DT2H", "23", "2026-03-01"} <= set(told["shown"])
    assert "is at or after" in told["words"]


def test_value__stays_where_the_operator_changes__and_text_stays_text(builder: Builder) -> None:
    rule = all_of(condition("attribute.a.string", "=", "5"), condition("attribute.a.string", "=", "5"))
    told = builder.run(rule, 'pick("operator", "!=")', 'type("value", "12", 1)', 'pick("operator", "in", 1)')
    assert json.loads(told["rule"]) == all_of(
        condition("attribute.a.string", "!=", "5"), condition("attribute.a.string", "in", [])
    )
    told = builder.run(rule, 'type("value", "12")')
    assert json.loads(told["rule"])["rules"][0]["value"] == "12"


def test_lists__are_typed_with_commas_or_quoted(builder: Builder) -> None:
    rule = all_of(condition("attribute.a.string", "in", []), condition("attribute.a.integer", "in", [7]))
    label = '"values, with commas between them"'
    told = builder.run(rule, f'type({label}, "DE, AT,")', f'type({label}, "1, 2", 1)')
    assert [one["value"] for one in json.loads(told["rule"])["rules"]] == [["DE", "AT"], [1, 2]]

    told = builder.run(rule, f"""type({label}, '"a, b", "c"')""")
    assert json.loads(told["rule"])["rules"][0]["value"] == ["a, b", "c"]


def test_numbers__that_a_browser_would_round__are_exact_as_they_are_typed_and_drawn(builder: Builder) -> None:
    long, text = 9007199254740993, '9007199254740993 and "9007199254740995'
    rule = all_of(
        condition("attribute.a.integer", "=", long),
        condition("attribute.a.integer", "in", [long, -long - 2]),
        condition("attribute.a.string", "=", text),
        condition("attribute.a.number", "between", [1.5, 18446744073709551615]),
    )
    told = builder.run(
        {}, 'press("+ Condition")', 'press("×", 4)', 'type("value", "9007199254740995")', raw=json.dumps(rule)
    )

    rule["rules"][0]["value"] = long + 2
    assert json.loads(told["rule"]) == rule
    assert told["shown"] == ["9007199254740995", f"{long}, {-long - 2}", text, "1.5", "18446744073709551615"]


@pytest.mark.parametrize(
    "raw",
    [
        "{",
        "[]",
        '{"combinator": "and", "rules": [3]}',
        '{"combinator": "and", "rules": [{"field": "attribute.a.string"}]}',
    ],
)
def test_rule_that_cannot_be_drawn__is_left_to_its_text(builder: Builder, raw: str) -> None:
    told = builder.run({}, raw=raw)
    assert (told["rule"], told["inputs"], told["open"]) == (raw, 0, True)
    assert "edited as JSON" in told["words"]


def test_names__are_text_and_nothing_else(builder: Builder) -> None:
    told = builder.run(all_of(condition("platform", "in", [9])), "steps.push(all('b').length)", "if (steps[0]) throw 0")
    assert "Ads <b>" in told["words"]


def test_form__holds_the_builder(console: Client, shop: Customer) -> None:
    page = console.get("/audiences/audience/add/").content.decode()
    assert 'data-fields="/audiences/rule-fields/"' in page
    assert "rule_builder.js" in page
