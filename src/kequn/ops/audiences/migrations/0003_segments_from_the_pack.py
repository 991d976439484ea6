from typing import Any

from django.db import migrations, models


def mark(apps: Any, schema_editor: Any) -> None:
    """A shipped segment with one version alone was loaded and not edited since."""
    versions = apps.get_model("audiences", "SegmentVersion").objects.using(schema_editor.connection.alias)
    once = versions.filter(name__startswith="seg_").values("name").annotate(n=models.Count("id")).filter(n=1)
    versions.filter(name__in=[row["name"] for row in once]).update(from_pack=True)


class Migration(migrations.Migration):
    dependencies = [("audiences", "0002_lists_count_every_line")]

    operations = [
        migrations.AddField("segmentversion", "relabelled_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "segmentversion",
            "relabelled_by",
            models.CharField(blank=True, default="", max_length=40),
            preserve_default=False,
        ),
        migrations.AddField("segmentversion", "from_pack", models.BooleanField(default=False)),
        migrations.RunPython(mark, migrations.RunPython.noop),
    ]
