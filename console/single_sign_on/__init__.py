"""Single sign-on by OpenID Connect. An app of Django, because allauth finds providers by app."""
