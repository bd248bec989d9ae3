"""Admin pages of the configuration, one module a subject. Django finds them here."""

from console.admin import access, activations, attributes, audiences, customers, lookalikes, pixels, platforms

__all__ = ["access", "activations", "attributes", "audiences", "customers", "lookalikes", "pixels", "platforms"]
