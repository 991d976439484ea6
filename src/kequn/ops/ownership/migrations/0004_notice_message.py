from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ownership', '0003_notices_by_hand'),
    ]

    operations = [
        migrations.AddField(
            model_name='notice',
            name='message',
            field=models.CharField(blank=True, max_length=32),
        ),
        migrations.AddField(
            model_name='notice',
            name='refused',
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.AddField(
            model_name='notice',
            name='tries',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddIndex(
            model_name='notice',
            index=models.Index(condition=models.Q(('message', ''), _negated=True), fields=['state', 'told_at'], name='notice_with_message'),
        ),
        migrations.AddConstraint(
            model_name='notice',
            constraint=models.UniqueConstraint(condition=models.Q(('message', ''), _negated=True), fields=('message',), name='notice_one_message_each'),
        ),
    ]
