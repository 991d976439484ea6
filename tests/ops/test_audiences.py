"""Segments, lists and exports: who may see how many, and whom."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from python_calamine import CalamineWorkbook

from kequn.core.data.identity import pseudonym
from kequn.core.errors import BadSource, Conflict, InvalidSpec, KequnError, NoData, NotAllowed, UnknownList, UnknownTag
from kequn.core.spec.segment import SegmentSpec
from kequn.ops import runtime
from kequn.ops.audiences import exports, queries, services
from kequn.ops.audiences.contracts import Sheet
from kequn.ops.audiences.models import Export, SegmentProfile, SegmentVersion, UploadedList
from kequn.ops.board.exporting import desk_sheets
from kequn.ops.board.models import DeskExport
from kequn.ops.board.services import request_desk_export
from kequn.ops.governance.models import Approval, AuditEntry
from kequn.ops.governance.services import decide
from kequn.ops.jobs import services as jobs
from kequn.ops.orgs.actor import system_actor
from tests.ops.bank import AS_OF, RICH, WOMEN, Cast, approve, customer_id, taken_out
from tests.ops.conftest import NOW

pytestmark = pytest.mark.django_db


def saved(cast: Cast, spec: SegmentSpec = RICH, who: str = "zhaomin") -> SegmentVersion:
    return services.save_segment(cast[who], spec)


def test_saving_the_same_rule_twice_gives_one_version_with_the_newer_title(bank: runtime.Runtime, cast: Cast) -> None:
    first = saved(cast)
    again = saved(cast, RICH.model_copy(update={"title": WOMEN.title}))
    assert (again.pk, again.spec.title.zh) == (first.pk, "女性")
    assert AuditEntry.objects.filter(act="segment.saved").count() == 1


def test_a_rule_that_names_what_is_not_there_is_refused(bank: runtime.Runtime, cast: Cast) -> None:
    with pytest.raises(UnknownTag, match="asset_aum_eod"):
        saved(cast, SegmentSpec(name="wrong", title="错", where={"tag": "asset_aum_eo", "op": ">", "value": 1}))
    with pytest.raises(UnknownList):
        saved(cast, SegmentSpec(name="wrong", title="错", where={"list": "nobody"}))
    assert not SegmentVersion.objects.exists()


def test_a_preview_counts_the_bank_and_tells_the_rule_in_words(bank: runtime.Runtime, cast: Cast) -> None:
    shown = queries.preview_segment(cast["zhaomin"], RICH)
    assert (shown.as_of, shown.size, shown.bank, shown.is_scoped) == (AS_OF, 590, 600, False)
    assert "时点 AUM" in shown.words_zh
    assert "Assets under management" in shown.words_en


def test_a_branch_sees_counts_members_and_profiles_of_its_own_customers_alone(
    bank: runtime.Runtime, cast: Cast
) -> None:
    version = saved(cast)
    shown = queries.preview_segment(cast["liqiang"], version.pk)
    assert (shown.size, shown.bank, shown.is_scoped) == (295, 300, True)
    assert shown.steps[0].alone == 295
    ordinals = queries.members_of(cast["liqiang"], RICH, as_of=AS_OF)
    assert (ordinals % 2 == 0).all()
    assert len(queries.members_of(cast["zhaomin"], RICH, as_of=AS_OF)) == 590
    profile = services.profile_segment(cast["liqiang"], version.pk)
    assert profile is not None
    assert (profile.size, profile.customers) == (295, 300)
    branch = next(t for t in profile.tags if t.tag == "acct_branch")
    assert {c.value for c in branch.cells} == {"0001"}


def test_a_branch_head_does_not_edit_and_an_rm_sees_no_segments(bank: runtime.Runtime, cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        saved(cast, who="liqiang")
    for question in (queries.segments_for, queries.latest_segments, queries.lists_for):
        with pytest.raises(NotAllowed):
            question(cast["chenjing"])


def test_a_profile_is_kept_until_the_data_change(bank: runtime.Runtime, cast: Cast) -> None:
    version = saved(cast)
    first = services.profile_segment(cast["zhaomin"], version.pk)
    assert services.profile_segment(cast["zhaomin"], version.pk) == first
    assert SegmentProfile.objects.count() == 1
    with runtime.runtime().store.writing(now=NOW):
        pass
    services.profile_segment(cast["zhaomin"], version.pk)
    assert SegmentProfile.objects.count() == 1
    assert SegmentProfile.objects.get().store_version == runtime.runtime().store.manifest().version


def test_overlap_counts_what_segments_share(bank: runtime.Runtime, cast: Cast) -> None:
    found = queries.overlap_of(cast["zhaomin"], [saved(cast).pk, saved(cast, WOMEN).pk])
    assert found.both == ((590, 196), (196, 200))


def test_members_are_masked_and_only_for_those_who_may_see_persons(bank: runtime.Runtime, cast: Cast) -> None:
    version = saved(cast)
    page = queries.members_page(cast["liqiang"], version.pk, tags=["demo_age"], order_by="-asset_aum_eod", size=10)
    assert (page.total, page.pages, len(page.members)) == (295, 30, 10)
    assert page.members[0].customer_id == customer_id(598)
    person = page.members[0].person
    assert person is not None
    assert person.phone == "139****0598"
    assert page.members[0].tags == (41,)
    assert {m.person for m in queries.members_page(cast["zhaomin"], version.pk).members} == {None}


def test_a_segment_is_approved_by_another_person_and_then_in_use(bank: runtime.Runtime, cast: Cast) -> None:
    version = saved(cast)
    services.submit_segment(cast["zhaomin"], version.pk)
    approve(cast, "rich")
    version.refresh_from_db()
    assert (version.state, version.is_current) == ("approved", True)
    richer = saved(
        cast, SegmentSpec(name="rich", title="更高", where={"tag": "asset_aum_eod", "op": ">=", "value": 20_000})
    )
    assert queries.segment_named(cast["zhaomin"], "rich").pk == version.pk
    services.submit_segment(cast["zhaomin"], richer.pk)
    approve(cast, "rich")
    assert SegmentVersion.objects.get(is_current=True).pk == richer.pk


def test_a_segment_that_others_refer_to_is_not_archived(bank: runtime.Runtime, cast: Cast) -> None:
    base = saved(cast)
    user = saved(
        cast,
        SegmentSpec(
            name="both", title="两者", where={"all": [{"segment": "rich"}, {"tag": "demo_gender", "value": "F"}]}
        ),
    )
    with pytest.raises(Conflict, match="both"):
        services.archive_segment(cast["zhaomin"], base.pk)
    services.archive_segment(cast["zhaomin"], user.pk)
    assert services.archive_segment(cast["zhaomin"], base.pk).state == "retired"
    assert saved(cast).state == "draft"


def keyed(store_root: object) -> None:
    """Give the dictionary the keys that a load would have written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    store = runtime.runtime().store
    with store.writing(now=NOW) as draft:
        path, relative = draft.new_file("dictionary", "customers")
        keys = [pseudonym(b"p" * 32, "customer", f"C{i:07}").to_bytes(16, "little") for i in range(600)]
        table = {"ordinal": pa.array(range(600), pa.uint32()), "customer_id": [customer_id(i) for i in range(600)]}
        pq.write_table(pa.table(table | {"key": pa.array(keys, pa.binary())}), path)
        draft.manifest.dictionary = relative


LIST = "客户号,备注\nC0000001,a\nC0000002,b\nC0000002,again\nC9999999,stranger\n\nC0000003,c\n"
UPLOAD = {"name": "event_guests", "title": "沙龙名单", "purpose": "六月沙龙", "expires_on": date(2026, 9, 1)}


def test_an_uploaded_list_is_matched_line_by_line(bank: runtime.Runtime, cast: Cast) -> None:
    keyed(bank)
    report = services.upload_list(cast["zhaomin"], LIST.encode("gbk"), "guests.csv", **UPLOAD)
    assert (report.matched, report.unmatched, report.duplicates, report.lines) == (3, 1, 1, 6)
    spec = SegmentSpec(name="guests", title="沙龙客户", where={"list": "event_guests"})
    assert queries.preview_segment(cast["zhaomin"], spec).size == 3
    assert queries.preview_segment(cast["liqiang"], spec).size == 1
    assert AuditEntry.objects.filter(act="list.uploaded").count() == 1


def test_a_list_changed_while_its_segment_waits_is_submitted_again(bank: runtime.Runtime, cast: Cast) -> None:
    keyed(bank)
    spec = SegmentSpec(name="guests", title="沙龙客户", where={"list": "event_guests"})
    services.upload_list(cast["zhaomin"], LIST.encode(), "guests.csv", **UPLOAD)
    version = saved(cast, spec)
    services.submit_segment(cast["zhaomin"], version.pk)
    services.upload_list(cast["zhaomin"], (LIST + "C0000004,d\n").encode(), "guests.csv", **UPLOAD)
    with pytest.raises(Conflict, match="event_guests"):
        approve(cast, "guests")


def test_a_list_that_cannot_be_right_leaves_nothing_behind(bank: runtime.Runtime, cast: Cast) -> None:
    keyed(bank)
    with pytest.raises(BadSource):
        services.upload_list(cast["zhaomin"], b"a,b\n1,2\n", "guests.csv", **UPLOAD)
    with pytest.raises(InvalidSpec, match="Nobody"):
        services.upload_list(cast["zhaomin"], "客户号\nX\n".encode(), "guests.csv", **UPLOAD)
    with pytest.raises(InvalidSpec, match="for"):
        services.upload_list(cast["zhaomin"], LIST.encode(), "guests.csv", **(UPLOAD | {"purpose": " "}))
    with pytest.raises(InvalidSpec, match="until"):
        services.upload_list(
            cast["zhaomin"], LIST.encode(), "guests.csv", **(UPLOAD | {"expires_on": date(2026, 6, 1)})
        )
    with pytest.raises(NotAllowed):
        services.upload_list(cast["wangfang"], LIST.encode(), "guests.csv", **UPLOAD)
    assert not UploadedList.objects.exists()
    assert not runtime.runtime().store.manifest().lists


def test_an_expired_list_computes_nothing(bank: runtime.Runtime, cast: Cast) -> None:
    keyed(bank)
    services.upload_list(cast["zhaomin"], LIST.encode(), "guests.csv", **UPLOAD)
    spec = SegmentSpec(name="guests", title="沙龙客户", where={"list": "event_guests"})
    bank.clock = lambda: NOW + timedelta(days=70)
    with pytest.raises(UnknownList):
        queries.preview_segment(cast["zhaomin"], spec)
    assert services.remove_expired_lists(system_actor()) == 1
    assert not runtime.runtime().store.manifest().lists


def test_an_export_is_masked_marked_and_for_its_owner_alone(bank: runtime.Runtime, cast: Cast) -> None:
    version = saved(cast)
    assert version.name == "rich"
    row = taken_out(cast, "liqiang", "members", segment="rich", tags="asset_aum_eod", purpose="网点晨会")
    with pytest.raises(Conflict, match="ready"):
        services.take_export(cast["liqiang"], row.pk)
    assert jobs.run_waiting() == 1
    path = services.take_export(cast["liqiang"], row.pk)
    sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(1).to_python()
    assert "B001 李强" in sheet[0][0]
    assert "网点晨会" in sheet[0][0]
    assert len(sheet) == 2 + 295
    assert sheet[2][1:3] == ["张**", "139****0010"]
    assert sheet[2][6] == 11_000
    for other in ("zhaomin", "zhoulv"):
        with pytest.raises(NotAllowed):
            services.take_export(cast[other], row.pk)
    acts = set(AuditEntry.objects.values_list("act", flat=True))
    assert {"export.requested", "export.written", "export.taken"} <= acts


def test_an_export_is_gone_after_a_day(bank: runtime.Runtime, cast: Cast) -> None:
    saved(cast)
    row = taken_out(cast, "zhaomin", "members", segment="rich", format="csv")
    jobs.run_waiting()
    path = services.take_export(cast["zhaomin"], row.pk)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    bank.clock = lambda: NOW + timedelta(hours=25)
    with pytest.raises(Conflict, match="valid"):
        services.take_export(cast["zhaomin"], row.pk)
    assert services.remove_expired_exports(system_actor()) == 1
    assert not path.exists()


def test_an_export_needs_a_purpose_and_a_right(bank: runtime.Runtime, cast: Cast) -> None:
    saved(cast)
    with pytest.raises(InvalidSpec, match="for"):
        taken_out(cast, "zhaomin", "members", segment="rich", purpose=" ")
    with pytest.raises(NotAllowed):
        taken_out(cast, "wangfang", "members", segment="rich")
    assert not Export.objects.exists()


def test_more_than_a_few_members_leave_only_by_a_second_persons_word(bank: runtime.Runtime, cast: Cast) -> None:
    version = saved(cast)
    asked = {"segment": "rich", "version": str(version.pk)}
    row = request_desk_export(cast["zhaomin"], "members", key="k", purpose="核对", params=asked)
    assert (row.state, row.export_id) == ("waiting", None)
    assert row.rows == len(queries.members_of(cast["zhaomin"], version.spec, as_of=queries.latest_date()))
    with pytest.raises(NotAllowed):
        decide(cast["zhaomin"], Approval.objects.get(kind="desk_export").pk, approve=True)
    assert jobs.run_waiting() == 0
    assert not Export.objects.exists()


def test_a_rule_that_changed_while_its_list_waited_is_not_what_was_allowed(bank: runtime.Runtime, cast: Cast) -> None:
    saved(cast)
    row = taken_out(cast, "zhaomin", "members", segment="rich")
    other = RICH.model_copy(update={"where": WOMEN.where})
    services.submit_segment(cast["zhaomin"], services.save_segment(cast["zhaomin"], other).pk)
    approve(cast, "rich")
    with pytest.raises(Conflict, match="changed"):
        desk_sheets(cast["zhaomin"], {"request": DeskExport.objects.get(export_id=row.pk).pk})


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"segment": "nobody"}, KequnError), ({}, InvalidSpec), ({"segment": "rich", "version": "x"}, InvalidSpec),
        ({"segment": "rich", "on": "yesterday"}, InvalidSpec), ({"segment": "rich", "on": "1999-01-01"}, KequnError),
        ({"segment": "rich", "version": "999999"}, NotAllowed), ({"segment": "rich", "format": "pdf"}, InvalidSpec),
        ({"segment": "rich", "tags": "no_such_tag"}, InvalidSpec), ({"segment": "rich", "tags": "loan_overdue"}, KequnError),
    ],
)  # fmt: skip
def test_members_who_cannot_be_listed_are_told_so(
    bank: runtime.Runtime, cast: Cast, asked: dict[str, str], error: type[Exception]
) -> None:
    saved(cast)
    with pytest.raises(error):
        taken_out(cast, "zhaomin", "members", **asked)
    assert not DeskExport.objects.exists()


def test_the_mark_of_a_file_tells_the_banks_own_time(bank: runtime.Runtime, cast: Cast) -> None:
    late = datetime(2026, 7, 31, 17, 5, tzinfo=UTC)
    mark = exports.watermark(cast["zhaomin"], at=late, purpose="核对", export_id=7)
    assert mark.endswith("· 2026-08-01 01:05 · 核对 · #7")


@pytest.mark.parametrize("cell", ["=1+1", "+86", "-1", "@sum", "\t=1", " =1", "＝1", '=HYPERLINK("x")'])
def test_no_cell_is_a_formula(tmp_path, cell: str) -> None:  # type: ignore[no-untyped-def]
    sheet = Sheet("名单", ["a"], [[cell]])
    exports.write_csv(tmp_path / "x.csv", [sheet], mark="M")
    rows = list(csv.reader(io.StringIO((tmp_path / "x.csv").read_text(encoding="utf-8-sig"))))
    assert rows[2][0].startswith("'")
    exports.write_xlsx(tmp_path / "x.xlsx", [sheet], mark="M")
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.xlsx") as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


def test_the_contactable_rate_says_what_is_missing_before_there_is_an_offer(
    bank: runtime.Runtime, definitions: None, cast: Cast
) -> None:
    version = queries.segment_named(cast["zhaomin"], "rich")
    found = queries.contactable_segment(cast["zhaomin"], version.pk, channels=["sms", "email", "wecom"])
    by_channel = {c.channel: c for c in found.contactable.channels}
    assert (by_channel["sms"].n, by_channel["sms"].n_contactable) == (590, 472)
    assert [(r.code, r.n) for r in by_channel["sms"].reasons] == [("NO_CONSENT", 118)]
    assert by_channel["email"].n_contactable == 0
    assert found.unknown_facts["consent.email"] == 1
    branch = queries.contactable_segment(cast["liqiang"], version.pk, channels=["sms"])
    assert branch.contactable.n == 295


def test_segments_need_tags(cast: Cast, bank_runtime: runtime.Runtime) -> None:
    with pytest.raises(NoData):
        queries.latest_date()


def test_listing_segments_takes_few_queries(bank: runtime.Runtime, cast: Cast, django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    for i in range(12):
        saved(cast, SegmentSpec(name=f"s{i}", title="x", where={"tag": "demo_age", "op": ">", "value": i}))
    with django_assert_max_num_queries(3):
        assert len(queries.latest_segments(cast["zhaomin"])) == 12
    assert connection.vendor in ("sqlite", "postgresql")


def test_arrays_of_members_that_are_kept_cannot_be_changed(bank: runtime.Runtime, cast: Cast) -> None:
    found = queries.members_of(cast["zhaomin"], RICH, as_of=AS_OF)
    assert queries.members_of(cast["zhaomin"], RICH, as_of=AS_OF) is found
    with pytest.raises(ValueError, match="read-only"):
        found[0] = np.uint32(1)


def test_errors_say_where(bank: runtime.Runtime, cast: Cast) -> None:
    spec = SegmentSpec(name="wrong", title="错", where={"all": [{"tag": "demo_age", "op": ">", "value": "old"}]})
    with pytest.raises(KequnError) as error:
        queries.preview_segment(cast["zhaomin"], spec)
    assert error.value.where.field.startswith("where.all.0")


def test_a_page_of_members_shows_no_tag_that_must_not_be_told(definitions: None, cast: Cast) -> None:
    version = queries.segment_named(cast["zhaomin"], "rich")
    for asked in ({"tags": ["risk_suppress"]}, {"order_by": "-risk_suppress"}):
        with pytest.raises(NotAllowed, match="customer by customer"):
            queries.members_page(cast["zhaomin"], version.pk, **asked)
