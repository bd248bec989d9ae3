"""What a customer wants of personal data in clear, read from the configuration by whoever has Django."""

from core.models import Customer
from profiles.personal.protection import Policy, Protection


def protection_of(customer: Customer) -> Protection:
    return Protection(Policy(customer.personal_data), customer.salt)
