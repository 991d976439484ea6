"""Django's registration of the app."""

from django.apps import AppConfig


class BooksConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.books"
    label = "books"

    def ready(self) -> None:
        """Build the export of corrections."""
        from kequn.ops.audiences.services import register_export
        from kequn.ops.books.correcting import correction_sheets

        register_export("corrections", correction_sheets)
