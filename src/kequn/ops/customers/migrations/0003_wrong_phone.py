from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0002_bank_owner'),
    ]

    operations = [
        migrations.AddField(
            model_name='person',
            name='wrong_phone_index',
            field=models.CharField(blank=True, max_length=40),
        ),
    ]
