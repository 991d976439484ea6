from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('ownership', '0004_notice_message'),
    ]

    operations = [
        migrations.RenameField(model_name='wecommove', old_name='asked_at', new_name='planned_at'),
        migrations.RenameField(model_name='wecommove', old_name='effective_at', new_name='earliest_at'),
    ]
