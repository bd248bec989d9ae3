"""Make a link for a mailing, by which its readers are matched with a platform."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from console.components import page
from integrations.models import Platform
from usersync.links import MAX_MAILING, BadLinkError
from usersync.mailing_links import link_for

KINDS = [("click", "a link in the mailing"), ("view", "the mailing on the web")]


class LinkForm(forms.Form):
    platform = forms.ModelChoiceField(Platform.objects.all(), empty_label=None, widget=UnfoldAdminSelectWidget)
    kind = forms.ChoiceField(choices=KINDS, label="What it is", widget=UnfoldAdminSelectWidget)
    mailing = forms.CharField(
        required=False,
        max_length=MAX_MAILING,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "kept with the match"}),
    )
    target = forms.CharField(
        label="Where it leads", widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "https://", "type": "url"})
    )

    def url(self) -> str | None:
        """The link, or None with the fault told at its field."""
        if not self.is_valid():
            return None
        try:
            return link_for(**self.cleaned_data)
        except BadLinkError as fault:
            self.add_error(fault.field, str(fault))
            return None


@permission_required("integrations.change_platform", raise_exception=True)
def links(request: HttpRequest) -> HttpResponse:
    form = LinkForm(request.GET) if "target" in request.GET else LinkForm()
    context: dict[str, Any] = {"form": form, "url": form.url() if form.is_bound else None}
    return page(request, "links.html", "Mail links", **context)
