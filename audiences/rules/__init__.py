"""Rules: one typed tree with two readings, in process and in SQL. Pure: no Django, no database.

group = parse(rule_json, schema)            # RuleError names every fault and its place
predicate = compile_rule(group)             # (subject, now_ms) → (truth, until_ms)
text, values = to_sql(group, now_ms=…, tables=…)
"""
