"""What every form has: Bootstrap's classes on its fields, and one way to show them."""

from __future__ import annotations

from typing import Any

from django import forms


class Styled:
    """Puts the class of the sheet on each field of a form."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            widget = field.widget
            name = "form-select" if isinstance(widget, forms.Select) else "form-control"
            if isinstance(widget, forms.CheckboxInput):
                name = "form-check-input"
            if not isinstance(widget, forms.CheckboxSelectMultiple | forms.RadioSelect):
                widget.attrs.setdefault("class", name)
