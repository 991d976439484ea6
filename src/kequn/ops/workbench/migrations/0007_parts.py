"""What a purchase was made of, family by family: of each credit, and of what settled a task."""

import datetime

from django.db import migrations, models


def write_parts(apps, schema_editor):
    """What was written as one family is one part; the day on which it was opened was not kept."""
    for name, fen_of in (("Credit", "amount_cny"), ("Settlement", "shown_cny")):
        model = apps.get_model("workbench", name)
        for row in model.objects.exclude(family="").iterator():
            fen = int(getattr(row, fen_of) * 100)
            row.parts = [{"family": row.family, "product": row.product_code, "fen": fen, "opened_on": None}]
            row.save(update_fields=["parts"])


class Migration(migrations.Migration):

    dependencies = [
        ('workbench', '0006_held_outflows'),
    ]

    operations = [
        migrations.AddField(
            model_name='credit',
            name='parts',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='settlement',
            name='parts',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='settlement',
            name='since',
            field=models.DateField(default=datetime.date.min),
            preserve_default=False,
        ),
        migrations.RunPython(write_parts, migrations.RunPython.noop),
        migrations.RemoveField(
            model_name='settlement',
            name='shown_cny',
        ),
        migrations.RemoveField(
            model_name='settlement',
            name='family',
        ),
        migrations.RemoveField(
            model_name='settlement',
            name='product_code',
        ),
    ]
