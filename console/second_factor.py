"""The form that adds an authenticator app."""

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.utils import encrypt


class AddAppForm(ActivateTOTPForm):
    """Takes a code once: that which adds the app does not log in afterwards, nor does it confirm anything else.

    allauth notes a code as used only where an app that is there already checks it. So this asks the app that is about
    to be made.
    """

    def clean_code(self) -> str:
        code = str(super().clean_code())
        app = TOTP(Authenticator(user=self.user, type=Authenticator.Type.TOTP, data={"secret": encrypt(self.secret)}))
        if not app.validate_code(code):
            raise get_adapter().validation_error("incorrect_code")
        return code
