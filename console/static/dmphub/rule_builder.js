"use strict";
/* The rule of an audience as people read it: groups of conditions above the JSON, which stays the truth.
 *
 * What is chosen here is written into the textarea at once, and what is typed there is drawn here. A rule
 * that cannot be drawn without losing something is left to the textarea.
 */
(function () {
  const JOINED = [
    ["and", false, "all of these hold"],
    ["or", false, "any of these holds"],
    ["and", true, "not all of these hold"],
    ["or", true, "none of these holds"],
  ];
  const UNITS = [["T", "M", "minutes"], ["T", "H", "hours"], ["", "D", "days"], ["", "W", "weeks"]];
  const LONG = "\uE000"; // before the digits of a number that JavaScript would round: here it is held as text

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const isCondition = (value) => typeof value.field === "string" && typeof value.operator === "string";
  const isDrawable = (value) =>
    isObject(value) && ("rules" in value ? Array.isArray(value.rules) && value.rules.every(isDrawable) : isCondition(value));

  /** JSON.parse that rounds no number. */
  function parseExactly(text) {
    const held = (part) => (/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(part) && /\d{16}/.test(part) ? `"${LONG}${part}"` : part);
    return JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, held));
  }

  /** JSON.stringify that gives back what `parseExactly` has read. */
  const writeExactly = (value, indent) =>
    JSON.stringify(value, null, indent).replace(new RegExp(`"${LONG}(-?\\d[\\d.eE+-]*)"`, "g"), "$1");

  /* ── values: what is typed, and what stands in the rule ── */

  const isNumeric = (kind) => ["number", "integer", "count", "split"].includes(kind);

  /** Text of one value, which `valueOf` reads back as the same. */
  function textOf(value, kind) {
    if (typeof value !== "string") return value === undefined ? "" : JSON.stringify(value);
    if (value.startsWith(LONG)) return value.slice(LONG.length);
    return valueOf(value, kind) === value ? value : JSON.stringify(value);
  }

  function valueOf(text, kind) {
    if (kind === "string") return text;
    try {
      const value = parseExactly(text);
      if (["number", "boolean", "string"].includes(typeof value)) return value;
    } catch { /* a word, then */ }
    return text;
  }

  function textOfList(values, kind) {
    const texts = values.map((value) => textOf(value, kind));
    const plain = texts.every((text) => text && text === text.trim() && !/[",]/.test(text));
    return plain ? texts.join(", ") : writeExactly(values).slice(1, -1);
  }

  function listOf(text, kind) {
    try {
      if (text.includes('"')) return parseExactly(`[${text}]`);
    } catch { /* words, then */ }
    return text.split(",").map((word) => word.trim()).filter(Boolean).map((word) => valueOf(word, kind));
  }

  /** Which control edits a value. */
  function shapeOf(kind, operator) {
    if (["null", "notNull", "isToday", "isThisMonth"].includes(operator)) return "none";
    if (/^(within|notWithin|anniversaryWithin)/.test(operator)) return "duration";
    if (["audience", "platform"].includes(kind)) return "choices";
    if (["in", "notIn"].includes(operator)) return "list";
    if (["between", "notBetween"].includes(operator)) return "pair";
    return kind === "boolean" ? "flag" : "single";
  }

  function startOf(shape, kind) {
    const single = isNumeric(kind) ? 1 : "";
    return { none: undefined, duration: "P30D", choices: [], list: [], pair: [single, isNumeric(kind) ? 10 : ""],
             flag: true, single }[shape];
  }

  /* ── the builder ── */

  /** Draws the rule of `text` into `root`; `known`: what the console's rule-fields answers. Its answer ends it. */
  function ruleBuilder(root, text, known) {
    const fields = new Map(known.groups.flatMap((group) => group.fields).map((field) => [field.name, field]));
    let rule = null;
    let telling = false;

    function tell() {
      text.value = writeExactly(rule, 2);
      telling = true;
      text.dispatchEvent(new Event("input", { bubbles: true }));
      telling = false;
    }

    function change(edit) {
      edit();
      tell();
      draw();
    }

    function read() {
      if (telling) return;
      try {
        rule = parseExactly(text.value);
      } catch {
        rule = null;
      }
      draw();
    }

    function draw() {
      const drawable = isDrawable(rule) && "rules" in rule;
      if (!drawable) text.closest("details")?.setAttribute("open", "");
      root.replaceChildren(
        drawable ? groupOf(rule) : element("p", { className: "hub-muted", textContent: "This rule is edited as JSON." }),
      );
    }

    const button = (label, edit, title = label) =>
      element("button", { type: "button", className: "hub-rule-button", textContent: label, title, onclick: () => change(edit) });

    function select(label, options, chosen, pick) {
      const made = element("select", { ariaLabel: label }, ...options);
      made.value = chosen;
      made.onchange = () => change(() => pick(made.value));
      return made;
    }

    const option = (value, label) => element("option", { value, textContent: label });

    function groupOf(group, remove) {
      const place = JOINED.findIndex(([word, not]) => word === group.combinator && not === Boolean(group.not));
      const head = element(
        "div", { className: "hub-rule-head" },
        select("how these are joined", JOINED.map(([, , label], index) => option(index, label)), place, (index) => {
          [group.combinator, group.not] = JOINED[index];
          if (!group.not) delete group.not;
        }),
      );
      if (remove) head.append(button("Remove group", remove));
      const parts = group.rules.map((part, index) => {
        const drop = () => group.rules.splice(index, 1);
        return "rules" in part ? groupOf(part, drop) : conditionOf(part, drop);
      });
      const foot = element(
        "div", { className: "hub-rule-foot" },
        button("+ Condition", () => group.rules.push(newCondition())),
        button("+ Group", () => group.rules.push({ combinator: "and", rules: [newCondition()] })),
      );
      return element("div", { className: "hub-rule-group" }, head, ...parts, foot);
    }

    function newCondition() {
      const [field = ""] = fields.keys();
      const { kind, operators: [operator] } = fieldOf({ field });
      return { field, operator, value: startOf(shapeOf(kind, operator), kind) };
    }

    /** Another field: the operator and the value stay where they fit. */
    function ask(condition, name) {
      const before = control(condition);
      condition.field = name;
      const { operators, kind } = fieldOf(condition);
      if (!operators.includes(condition.operator)) condition.operator = operators[0];
      if (kind !== "count") delete condition.days;
      refit(condition, before);
    }

    /** A value that the control does not edit gives way. */
    function refit(condition, before) {
      const now = control(condition);
      if (now === before) return;
      condition.value = startOf(shape(condition), fieldOf(condition).kind);
    }

    const control = (condition) => `${shape(condition)} of ${fieldOf(condition).kind}`;

    const fieldOf = (condition) =>
      fields.get(condition.field) || { kind: "mixed", operators: Object.keys(known.words) };

    const shape = (condition) => shapeOf(fieldOf(condition).kind, condition.operator);

    function conditionOf(condition, remove) {
      const field = fieldOf(condition);
      const offered = known.groups.map((group) =>
        element("optgroup", { label: group.name }, ...group.fields.map((one) => option(one.name, one.label))));
      if (!fields.has(condition.field)) offered.unshift(option(condition.field, condition.field));
      const words = field.operators.includes(condition.operator) ? field.operators : [condition.operator, ...field.operators];
      return element(
        "div", { className: "hub-rule-condition" },
        select("field", offered, condition.field, (name) => ask(condition, name)),
        select("operator", words.map((word) => option(word, field.own_words?.[word] || known.words[word] || word)), condition.operator, (word) => {
          const before = control(condition);
          condition.operator = word;
          refit(condition, before);
        }),
        ...editors(condition, field),
        button("×", remove, "Remove this condition"),
      );
    }

    function editors(condition, field) {
      const given = {
        none: () => [],
        duration: durationOf,
        choices: choicesOf,
        list: (asked, { kind }) => [
          typed("values, with commas between them", textOfList([].concat(asked.value ?? []), kind),
                (words) => { asked.value = listOf(words, kind); }),
        ],
        pair: (asked, { kind }) => {
          const ends = Array.isArray(asked.value) ? asked.value : (asked.value = ["", ""]);
          const end = (place, label) =>
            typed(label, textOf(ends[place], kind), (word) => { ends[place] = valueOf(word, kind); }, kind);
          return [end(0, "from"), element("span", { textContent: "and" }), end(1, "to")];
        },
        flag: (asked) => [
          select("value", [option("true", "true"), option("false", "false")], String(asked.value),
                 (word) => { asked.value = word === "true"; }),
        ],
        single: (asked, { kind }) => [
          typed("value", textOf(asked.value, kind), (word) => { asked.value = valueOf(word, kind); }, kind),
        ],
      }[shape(condition)](condition, field);
      return field.kind === "count" ? [...given, ...daysOf(condition)] : given;
    }

    function typed(label, shown, keep, kind) {
      const made = element("input", { ariaLabel: label, placeholder: label, value: shown, type: "text" });
      if (isNumeric(kind)) Object.assign(made, { type: "number", step: "any" });
      if (kind === "time") made.placeholder = "2026-01-31 or 2026-01-31T12:00";
      made.oninput = () => {
        keep(made.value);
        tell();
      };
      return made;
    }

    function durationOf(condition) {
      const found = /^P(T?)(\d+)([MHDW])$/.exec(condition.value || "");
      const unit = found ? UNITS.findIndex(([time, letter]) => time === found[1] && letter === found[3]) : -1;
      if (unit < 0) return [typed("duration", condition.value ?? "", (word) => { condition.value = word; })];
      let [amount, chosen] = [found[2], unit];
      const write = () => { condition.value = `P${UNITS[chosen][0]}${amount}${UNITS[chosen][1]}`; };
      const number = typed("how many", amount, (word) => { amount = word; write(); }, "integer");
      const units = select("unit", UNITS.map(([, , label], index) => option(index, label)), unit,
                           (index) => { chosen = index; write(); });
      return [number, units];
    }

    function choicesOf(condition, field) {
      const chosen = new Set([].concat(condition.value ?? []));
      const made = element("select", { multiple: true, ariaLabel: "which", size: Math.min(field.choices.length, 5) },
        ...field.choices.map(([id, label]) => Object.assign(option(id, label), { selected: chosen.has(id) })));
      made.onchange = () => {
        condition.value = [...made.selectedOptions].map((one) => Number(one.value));
        tell();
      };
      return [made];
    }

    function daysOf(condition) {
      const made = typed("ever", condition.days ?? "", (word) => {
        if (word) condition.days = Number(word);
        else delete condition.days;
      }, "integer");
      made.ariaLabel = "in how many days, today included; empty: ever";
      return [element("span", { textContent: "times in days:" }), made];
    }

    text.addEventListener("input", read);
    read();
    return () => text.removeEventListener("input", read);
  }

  window.ruleBuilder = ruleBuilder;

  document.addEventListener("DOMContentLoaded", () => {
    const place = document.getElementById("rule-builder");
    const text = document.getElementById("id_rule");
    if (!place || !text) return;
    const folded = element("details", {}, element("summary", { textContent: "As JSON" }));
    text.before(place, folded);
    folded.append(text);
    const customer = document.getElementById("id_customer");
    let forget = () => {};

    async function build() {
      const asked = new URLSearchParams({ customer: place.dataset.customer || customer?.value || "", audience: place.dataset.audience });
      const answer = await fetch(`${place.dataset.fields}?${asked}`);
      if (!answer.ok) {
        folded.open = true;
        return;
      }
      const known = await answer.json();
      forget();
      forget = ruleBuilder(place, text, known);
    }

    /* A rule that the estimate offers takes the place of the one that stands here. */
    document.addEventListener("click", (event) => {
      const offer = event.target.closest?.("[data-rule]");
      if (!offer) return;
      text.value = offer.dataset.rule;
      text.dispatchEvent(new Event("input", { bubbles: true }));
    });
    customer?.addEventListener("change", build);
    build();
  });
})();
