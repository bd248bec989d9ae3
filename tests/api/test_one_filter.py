"""No door asks a table by itself: what it reads for a key or a person passes the caller's scope.

The code of the doors is read, not run, so a page or a call that is added later is looked at too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOORS = ("api", "console")
MANAGERS = {"objects", "unversioned", "_default_manager", "_base_manager"}
# what reads nothing
HARMLESS = {"create", "log_actions", "none"}
SQL = {"execute", "executemany", "raw", "extra"}
# what is asked before anybody is known, or for nobody
ALLOWED = {
    ("api/access.py", "find_key"): "finds the key itself",
    ("api/idempotency.py", "forget"): "cleans up, for nobody",
    ("api/idempotency.py", "forget_answers_with"): "erases a person's traces, for nobody",
    ("api/idempotency.py", "_claim"): "reads the answers to the caller's own key",
    ("console/admin/access.py", "forget_second_factors"): "of the person on the page, which is for admins of the hub",
    ("console/failed_log_ins.py", "note"): "before anybody is known",
    ("console/joining.py", "_joined"): "reads the person themself",
    ("console/single_sign_on/views.py", "is_open_for_signup"): "before anybody is known",
    ("api/throttling.py", "count"): "asks Redis",
    ("console/health.py", "readyz"): "asks whether there is a database",
}


def test_doors__ask_no_table_without_the_callers_scope() -> None:
    found = [
        (path, name, line)
        for door in DOORS
        for file in sorted((ROOT / door).rglob("*.py"))
        if "migrations" not in file.parts
        for path in [str(file.relative_to(ROOT))]
        for name, line in reads(ast.parse(file.read_text()))
    ]

    assert [one for one in found if one[:2] not in ALLOWED] == []
    assert ALLOWED.keys() <= {one[:2] for one in found}


@pytest.mark.parametrize(
    "text",
    [
        "rows = Audience.objects.filter(pk=1)",
        "class V:\n    queryset = Audience.objects.all()",
        "def f(model):\n    return model._default_manager.get(pk=1)",
        "def f():\n    return get_object_or_404(Audience, pk=1)",
        "def f(cursor):\n    cursor.execute('SELECT 1')",
        "def f():\n    return Audience.objects.raw('SELECT 1')",
        "form = ModelChoiceField(Audience.objects.select_related('customer'))",
        "manager = Audience.objects",
    ],
)
def test_reads__past_the_scope__are_found(text: str) -> None:
    assert list(reads(ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        "rows = scope_of(request).of(Audience)",
        "def f():\n    return get_object_or_404(scope.of(Audience), pk=1)",
        "row = Audience.objects.create(name='A')",
        "nothing = Audience.objects.none()",
    ],
)
def test_reads__by_the_scope__are_not_complained_of(text: str) -> None:
    assert not list(reads(ast.parse(text)))


def reads(tree: ast.AST, function: str = "") -> Iterator[tuple[str, int]]:
    """Yield (function, line) of everything that asks a table by itself."""
    for node in ast.iter_child_nodes(tree):
        name = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if isinstance(node, ast.Attribute) and node.attr in HARMLESS and is_manager(node.value):
            continue
        if is_manager(node) or (isinstance(node, ast.Call) and is_bare(node)):
            yield name, getattr(node, "lineno", 0)
            continue
        yield from reads(node, name)


def is_manager(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in MANAGERS


def is_bare(call: ast.Call) -> bool:
    """Whether a call sends SQL, or gets a row of a model as such."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in SQL:
        return True
    shortcut = isinstance(call.func, ast.Name) and call.func.id in {"get_object_or_404", "get_list_or_404"}
    return shortcut and bool(call.args) and isinstance(call.args[0], ast.Name) and call.args[0].id[:1].isupper()
