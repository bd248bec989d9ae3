"""Every column of text is searched for the ids of erased persons, or is known to quote nobody."""

from typing import Any

from django.apps import apps
from django.db import models

from activation.stores.quoted_texts import QUOTING

FOREIGN = ("django.", "allauth.", "axes.")  # what these keep is of people who use the hub
SHORT = 64  # so short a text names something, and quotes nothing
LONG_TEXTS = (models.TextField, models.JSONField, models.CharField)

# what an erasure reaches by other ways: by key, by the user, or with the whole row or text
REACHED = {
    "attribute_statistics": {"types", "examples"},
    "bad_row": {"reason"},
    "dead_letter": {"platform_user_id"},
    "delivery": {"platform_user_id"},
    "erasure": {"requested_by", "platforms"},
    "found_id": {"value"},
    "idempotent_answer": {"key", "body"},
    "identity": {"value"},
    "import": {"name", "path", "report", "error"},
    "match_claim": {"sync"},
    "profile": {"attributes", "dimensions", "times", "activity", "ids", "login"},
    "profile_excess": {"names"},
    "profile_merge": {"value"},
    "shared_id": {"value"},
    "user_mapping": {"platform_user_id", "extra"},
    "waiting_link": {"value"},
    "watched_id": {"value", "seen"},
}
# what people wrote as configuration, and what was noted of them
WRITTEN = {
    "activation": {"name", "settings"},
    "api_key": {"name"},
    "attribute": {"path", "name"},
    "audience": {"name", "rule"},
    "audience_version": {"rule", "by"},
    "audit_entry": {"actor", "name", "before", "after"},
    "customer": {"name", "limits", "nobody_words"},
    "export": {"name", "created_by"},
    "import": {"options"},
    "import_schedule": {"name", "pattern", "options"},
    "import_template": {"name", "options"},
    "invitation": {"email", "created_by"},
    "list_change": {"by"},
    "pixel": {"name", "user_key"},
    "platform": {"name", "settings", "sync_template", "limits"},
}
# numbers, names of files and segments, and words of the hub's own that quote nothing
OWN = {
    "activation": {"segment_id", "possible_orphan"},
    "audience": {"reach"},
    "batch": {"activations"},
    "export_run": {"file_name", "error"},
    "host_key": {"host", "key"},
    "import_schedule": {"error"},
    "lookalike_model": {"figures"},
    "lookalike_run": {"figures"},
    "nobody_count": {"examples"},  # ids that name nobody
    "segment_number": {"namespace"},
    "shared_value": {"key", "value"},  # counted tries
    "uploaded_file": {"file_name"},
}


def _columns() -> set[tuple[str, str]]:
    own = [one for one in apps.get_models() if not one._meta.proxy and not one.__module__.startswith(FOREIGN)]
    fields = [field for model in own for field in model._meta.local_concrete_fields if _is(field)]
    return {(field.model._meta.db_table, field.column or "") for field in fields}


def _is(column: "models.Field[Any, Any]") -> bool:
    is_long = column.max_length is None or column.max_length > SHORT
    return isinstance(column, LONG_TEXTS) and not column.choices and is_long


def test_columns_of_text__each_is_searched_or_known_to_quote_nobody() -> None:
    searched = {(one.table, column) for one in QUOTING for column in one.columns}
    named = {
        (table, column) for kind in (REACHED, WRITTEN, OWN) for table, columns in kind.items() for column in columns
    }

    assert _columns() - searched - named == set(), "add it to QUOTING, or say here why it quotes nobody"
    assert (searched | named) - _columns() == set(), "these columns are there no longer"
    assert searched & named == set()
