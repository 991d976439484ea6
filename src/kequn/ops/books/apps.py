"""Django's registration of the app."""

from django.apps import AppConfig


class BooksConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.books"
    label = "books"

    def ready(self) -> None:
        """Take what calls say of numbers among the corrections."""
        from kequn.ops.books.correcting import follow_number
        from kequn.ops.workbench.services import on_number

        on_number("books", follow_number)
