"""Where users are seen: collection points, and the platforms whose sync each starts."""

from django.db import models

from core.configuration import ConfigurationModel
from core.models import Customer
from integrations.models import Platform


class Pixel(ConfigurationModel):
    """A collection point: requests name it by `id`."""

    id = models.AutoField("pixel id", primary_key=True)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="pixels")
    name = models.CharField(max_length=200)
    user_key = models.CharField(
        "user key",
        max_length=200,
        blank=True,
        help_text="The attribute in the data that holds your own user id, for example UserId.",
    )
    integrations = models.ManyToManyField(Platform, through="PixelIntegration", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "pixel"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


class PixelIntegration(ConfigurationModel):
    """A platform whose user sync a pixel starts."""

    pixel = models.ForeignKey(Pixel, models.CASCADE)
    platform = models.ForeignKey(Platform, models.CASCADE)
    priority = models.SmallIntegerField(default=0, help_text="Higher ones are synced first.")

    class Meta:
        db_table = "pixel_integration"
        constraints = [
            models.UniqueConstraint("pixel", "platform", name="pixel_integration_once"),
        ]

    def __str__(self) -> str:
        return f"{self.pixel} → {self.platform}"
