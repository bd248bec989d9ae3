"""What a person may do in the console: Django's permissions are answered by the person's role, and by nothing else."""

from typing import Any

from django.contrib.auth.backends import ModelBackend

from core.access import Access, Right
from core.people.models import access_of

READ, PERSONS, CHANGE, ADMINISTER = Right.READ, Right.SEE_PERSONS, Right.CHANGE, Right.ADMINISTER
"""(to view, to change, add or delete) of each model that the console shows. What is not here is nobody's."""
NEEDED: dict[str, tuple[Right, Right]] = {
    "core.customer": (READ, ADMINISTER),
    "core.apikey": (ADMINISTER, ADMINISTER),
    "core.auditentry": (ADMINISTER, ADMINISTER),
    "core.teammember": (ADMINISTER, ADMINISTER),
    "core.invitation": (ADMINISTER, ADMINISTER),
    "core.badrow": (PERSONS, CHANGE),
    "profiles.pixel": (READ, CHANGE),
    "profiles.pixelintegration": (READ, CHANGE),
    "profiles.attribute": (READ, CHANGE),
    "profiles.profile": (PERSONS, CHANGE),
    "integrations.platform": (READ, CHANGE),
    "audiences.audience": (READ, CHANGE),
    "lookalikes.lookalike": (READ, CHANGE),
    "activation.activation": (READ, CHANGE),
    "activation.batch": (READ, CHANGE),
    "activation.deadletter": (PERSONS, CHANGE),
    "pipeline.import": (READ, CHANGE),
}
FOR_THE_WHOLE_HUB = {"core.add_customer", "auth.view_user", "auth.add_user", "auth.change_user", "auth.delete_user"}
"""For admins of every customer: nobody who is limited to some customers."""


def may(access: Access, permission: str) -> bool:
    """Whether somebody with this access holds Django's permission, such as `audiences.change_audience`."""
    if permission in FOR_THE_WHOLE_HUB:
        return access.may(Right.ADMINISTER) and not access.is_bound
    app, _, name = permission.partition(".")
    action, _, model = name.partition("_")
    needed = NEEDED.get(f"{app}.{model}")
    return needed is not None and access.may(needed[0] if action == "view" else needed[1])


class TeamBackend(ModelBackend):
    """Logs in by password, and answers what a person may do by their role. Django's own permissions count for nothing.

    What the person may see is narrowed to the customer that they chose, where `console.access` has noted it.
    """

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return may(access_noted(user_obj), perm)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        access = access_noted(user_obj)
        return any(access.may(view) for model, (view, _) in NEEDED.items() if model.startswith(f"{app_label}."))

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        access = access_noted(user_obj)
        named = {
            f"{app}.{action}_{name}"
            for app, _, name in (model.partition(".") for model in NEEDED)
            for action in ("view", "add", "change", "delete")
        }
        return {permission for permission in named | FOR_THE_WHOLE_HUB if may(access, permission)}


def access_noted(user: Any) -> Access:
    """Return what the person may do, looked up once a request."""
    if not hasattr(user, "hub_access"):
        user.hub_access = access_of(user)
    access: Access = user.hub_access
    return access
