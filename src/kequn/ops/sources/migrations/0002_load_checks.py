from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("sources", "0001_initial"),
    ]

    operations = [
        migrations.AddField(model_name="load", name="checks", field=models.JSONField(default=list)),
        migrations.AddField(model_name="load", name="columns", field=models.JSONField(default=dict)),
    ]
