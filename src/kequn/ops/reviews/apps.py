"""Django's registration of the app."""

from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.reviews"
    label = "reviews"
