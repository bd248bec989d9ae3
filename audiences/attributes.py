"""Changes of attributes that audiences use: enabling, typing, marking. What a rule names cannot be taken away."""

from django.core.exceptions import ValidationError
from django.db import transaction

from audiences import kinds
from audiences.references import audiences_using
from core.inbox import InboxKind
from core.transactions import send_to_every_bucket
from profiles.conversion import fault_of
from profiles.messages import Convert
from profiles.models import Attribute, AttributeStatistics


class AttributeInUseError(ValueError):
    """A rule uses the attribute; the message names the audiences."""


def set_attribute(
    attribute: Attribute,
    *,
    enabled: bool | None = None,
    type_: str | None = None,
    personal: bool | None = None,
    sensitive: bool | None = None,
) -> None:
    """Enable or disable an attribute, fix its type, or say whether it holds personal data, or sensitive data.

    Enabling fixes the type, and what is stored is converted to it, bucket by bucket; disabling, and the type `mixed`,
    bring back what came. Whole numbers become `number` unless a person chose `integer`: those seen so far say nothing
    of those to come.

    Raises `AttributeInUseError` where a rule would lose an attribute that it names, and `ValidationError` where an
    attribute is enabled that nobody can read.
    """
    with transaction.atomic():
        locked = Attribute.objects.select_for_update().get(id=attribute.id)
        taken_away = locked.enabled and (enabled is False or (type_ is not None and type_ != locked.type))
        fault = fault_of(locked.path, type_ or locked.type) if enabled else None
        if fault is not None:
            raise ValidationError({"path": f"cannot be used in audiences: {fault}"})
        users = audiences_using(locked) if taken_away else []
        if users:
            raise AttributeInUseError(f"used by {', '.join(audience.name for audience in users)}")
        before = _converts_to(locked)
        locked.type = type_ or _type_of(locked, enabling=bool(enabled) and not locked.enabled)
        locked.enabled = locked.enabled if enabled is None else enabled
        locked.fixed = locked.fixed or locked.enabled or type_ is not None
        locked.personal = locked.personal if personal is None else personal
        locked.sensitive = locked.sensitive if sensitive is None else sensitive
        locked.save(update_fields=["enabled", "type", "fixed", "personal", "sensitive"])
        for kind in kinds.registered():
            kind.attribute_changed(locked)
        if locked.personal:
            AttributeStatistics.objects.filter(attribute_id=locked.id).update(examples=[])
        after = _converts_to(locked)
        if after != before or (after is not None and (enabled or type_ is not None)):
            convert_what_is_stored(locked.customer_id)
    attribute.refresh_from_db()


def _type_of(attribute: Attribute, *, enabling: bool) -> str:
    """Returns the type that the attribute gets where nobody names one now."""
    if enabling and not attribute.fixed and attribute.type == Attribute.Type.INTEGER:
        return Attribute.Type.NUMBER
    return attribute.type


def _converts_to(attribute: Attribute) -> str | None:
    """Returns the type to which values are converted; None where they are kept as they come."""
    return attribute.type if attribute.enabled and attribute.type != Attribute.Type.MIXED else None


def convert_what_is_stored(customer: int) -> None:
    """Convert what profiles hold to the present types of the customer's attributes, bucket by bucket."""
    send_to_every_bucket(InboxKind.CONVERT, Convert(customer=customer))
