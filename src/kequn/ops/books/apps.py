"""Django's registration of the app."""

from django.apps import AppConfig


class BooksConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.books"
    label = "books"

    def ready(self) -> None:
        """Build the export of corrections, and take what calls say of numbers among them."""
        from kequn.ops.audiences.services import register_export
        from kequn.ops.books.correcting import correction_sheets, follow_number
        from kequn.ops.workbench.services import on_number

        register_export("corrections", correction_sheets)
        on_number("books", follow_number)
