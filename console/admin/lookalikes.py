"""Lookalikes in the console: more people like the members of an audience."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from audiences import services
from audiences.models import Audience
from console.components import (
    ModelAdmin,
    ServiceForm,
    confirmed_action,
    label_column,
    never_deleted,
    saved_by_service,
    stored,
)
from console.lookalike_figures import figures_of
from core.problems import Subject
from lookalikes.models import Lookalike
from lookalikes.scoring.reach import MOST_PERCENT
from lookalikes.services import change_lookalike, create_lookalike, train

PERCENT = 5
TONES = {"building": "info", "live": "success", "paused": "warning", "refused": "danger"}


@contextmanager
def allowed() -> Iterator[None]:
    """What counts on the audience and stands in the way is said above the page."""
    try:
        yield
    except services.AudienceInUseError as error:
        raise ValidationError(str(error)) from None


def is_paused(row: Audience) -> bool:
    return row.status == Audience.Status.PAUSED


def goes_on(row: Audience) -> bool:
    return row.status in (Audience.Status.BUILDING, Audience.Status.LIVE)


class LookalikeForm(ServiceForm):
    percent = forms.FloatField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        help_text=f"The closest so many percent of all profiles, 1 to {MOST_PERCENT}; or else say how many people.",
    )
    people = forms.IntegerField(
        required=False, widget=UnfoldAdminIntegerFieldWidget(), help_text="The closest so many."
    )

    class Meta:
        model = Lookalike
        fields = ["customer", "name", "seed", "retrain_days"]

    chosen_percent: float | None = None  # the point of the curve that was chosen on the page

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        reach = self.instance.reach or ({} if self.instance.pk else {"percent": PERCENT})
        self.initial = {**reach, **self.initial}
        if self.chosen_percent is not None:
            self.initial |= {"percent": self.chosen_percent, "people": None}
        if "seed" in self.fields:
            seed = cast("forms.ModelChoiceField[Audience]", self.fields["seed"])
            offered = cast("QuerySet[Audience]", seed.queryset)
            seed.queryset, seed.required = offered.exclude(kind=Audience.Kind.LOOKALIKE), True

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        given = {name: values[name] for name in ("percent", "people") if values.get(name) is not None}
        if len(given) != 1:
            raise ValidationError({"percent": "Say either a share or how many, one of the two."})
        self.instance.reach = given
        return values

    def change(self, row: Lookalike) -> Audience:
        if row._state.adding:
            assert row.seed is not None
            return create_lookalike(row.customer, row.name, row.seed, row.reach, row.retrain_days)
        saved = stored(row)
        if row.name != saved.name:
            saved.name = row.name
            saved.save(update_fields=["name", "updated_at"])
        if (row.reach, row.retrain_days) != (saved.reach, saved.retrain_days):
            change_lookalike(saved, reach=row.reach, retrain_days=row.retrain_days)
        return saved

    def refused(self, error: Exception) -> bool:
        if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
            for name, faults in error.message_dict.items():
                self.add_error("percent" if name == "reach" else name, faults)
            return True
        return super().refused(error)


@admin.register(Lookalike)
class LookalikeAdmin(ModelAdmin[Lookalike]):
    form = LookalikeForm
    change_form_before_template = "console/lookalike.html"
    list_display = ["name", "id", "customer", "seed", "state", "size", "updated_at"]
    list_filter = ["status", "customer"]
    search_fields = ["name", "id"]
    list_select_related = ["customer", "seed"]
    actions_detail = ["learn", "pause", "resume", "remove"]
    add_fieldsets = [(None, {"fields": ["customer", "name", "seed", ("percent", "people"), "retrain_days"]})]
    fieldsets = [*add_fieldsets, ("Now", {"fields": [("state", "size"), ("version", "updated_at")]})]
    readonly_fields = ["state", "size", "version", "updated_at"]
    fixed_fields = ["customer", "seed"]
    subject = Subject.AUDIENCE
    save_model = saved_by_service
    has_delete_permission = never_deleted  # a button of its own deletes, since it may be refused

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lookalike]:
        return super().get_queryset(request).filter(kind=Audience.Kind.LOOKALIKE)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"retrain_days": 7, **super().get_changeform_initial_data(request)}

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        row = self.get_object(request, object_id)
        figures = {} if row is None else figures_of(row)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **figures})

    def get_form(self, request: HttpRequest, obj: Lookalike | None = None, change: bool = False, **options: Any) -> Any:
        """The form shows the point of the curve that was chosen."""
        form: Any = super().get_form(request, obj, change, **options)  # a class of this request's own
        chosen = request.GET.get("percent", "") if change and request.method == "GET" else ""
        if chosen.isascii() and chosen.replace(".", "", 1).isdigit() and len(chosen) < 9:
            form.chosen_percent = float(chosen)
        return form

    @label_column("status", TONES)
    def state(self, row: Lookalike) -> str:
        return row.status

    @admin.display(description="members")
    def size(self, row: Lookalike) -> str:
        return f"{services.size(row):,}"

    def response_add(self, request: HttpRequest, obj: Lookalike, post_url_continue: Any = None) -> HttpResponse:
        messages.success(request, f"{obj} is being learnt: its curve will stand here.")
        return redirect("admin:lookalikes_lookalike_change", obj.pk)

    @confirmed_action(
        "Learn anew", "Learn from the seed as it is now? Members change when that is done.", "model_training"
    )
    def learn(self, request: HttpRequest, row: Lookalike) -> str:
        train(row)
        return f"{row} learns anew."

    @confirmed_action("Pause", "Freeze this lookalike? Nobody enters or leaves until it goes on.", "pause", goes_on)
    def pause(self, request: HttpRequest, row: Lookalike) -> str:
        services.pause_audience(row)
        return f"{row} is paused."

    @confirmed_action("Resume", "Let this lookalike go on? Everybody is looked at again.", "play_arrow", is_paused)
    def resume(self, request: HttpRequest, row: Lookalike) -> str:
        services.resume_audience(row)
        return f"{row} goes on."

    @confirmed_action("Delete", "Delete this lookalike and forget who was in it?", "delete")
    def remove(self, request: HttpRequest, row: Lookalike) -> HttpResponse:
        with allowed():
            services.delete_audience(row)
        messages.success(request, f"{row} is deleted.")
        return redirect("admin:lookalikes_lookalike_changelist")
