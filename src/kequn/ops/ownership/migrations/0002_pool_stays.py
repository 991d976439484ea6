from datetime import date

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ownership', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='poolmember',
            name='aum_in_fen',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='poolmember',
            name='last_fit_on',
            field=models.DateField(default=date(1970, 1, 1)),
            preserve_default=False,
        ),
    ]
