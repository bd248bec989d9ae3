"""Imports whose users are put on the list of a static audience, or taken off it."""

from django.db import transaction

from audiences import listing
from audiences.models import Audience, ListChange
from audiences.services import AudienceInUseError
from core.messages import Listing
from pipeline.imports.errors import UnreadableFileError
from pipeline.imports.options import ImportOptions, OptionsError
from pipeline.models import Import


def check_list(customer: int, options: ImportOptions) -> None:
    """Raises OptionsError unless the audience, if one is named, is a static one of the customer."""
    of_customer = Audience.objects.filter(pk=options.audience, customer_id=customer, kind=Audience.Kind.STATIC)
    if options.audience and not of_customer.exists():
        raise OptionsError({"audience": "must be a static audience of the pixel's customer"})


def listing_of(row: Import, options: ImportOptions) -> Listing | None:
    """Returns what the rows say of a list; None if they say nothing.

    The change of the list begins with the first row. An import that was interrupted goes on with its own. Raises
    UnreadableFileError where the audience is gone.
    """
    if not options.audience:
        return None
    if row.dry_run:
        return Listing(audience=options.audience, change=0, known=options.known)
    with transaction.atomic():
        locked = Import.objects.select_for_update(of=("self",)).get(pk=row.pk)
        change = ListChange.objects.filter(pk=locked.options.get("change")).first() or _begin(locked, options)
    return listing.listing_of(change, known=options.known)


def _begin(row: Import, options: ImportOptions) -> ListChange:
    audience = Audience.objects.filter(pk=options.audience, customer_id=row.customer_id).first()
    if audience is None:
        raise UnreadableFileError("the audience of its list is not there any more")
    try:
        change = listing.begin_change(audience, options.action or ListChange.Action.ADD, by=f"import {row.pk}")
    except AudienceInUseError as why:
        raise UnreadableFileError(f"the audience: {why}") from None
    row.options = {**row.options, "change": change.pk}
    row.save(update_fields=["options"])
    return change


def end_list(row: Import) -> None:
    """Note how many ids the import has sent on. Its row says so."""
    ListChange.objects.filter(pk=row.options.get("change")).update(given=row.stored, refused=row.errors)
