"""The console's pages: nouns in the address, and never a customer's number."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from kequn.console.account import views as account
from kequn.console.approvals import views as approvals
from kequn.console.board import coaching, moving, report, targets
from kequn.console.board import views as board
from kequn.console.books import circles, stock_takes, visits
from kequn.console.books import views as books
from kequn.console.campaigns import views as campaigns
from kequn.console.catalog import views as catalog
from kequn.console.compliance import views as compliance
from kequn.console.discovery import views as discovery
from kequn.console.feedback import views as feedback
from kequn.console.home import views as home
from kequn.console.insight import files
from kequn.console.insight import views as insight
from kequn.console.jobs import views as jobs
from kequn.console.ownership import urls as ownership
from kequn.console.people import views as people
from kequn.console.reviews import views as reviews
from kequn.console.segments import groups, lists, live, past
from kequn.console.segments import views as segments
from kequn.console.sources import views as sources
from kequn.console.tags import history as tag_history
from kequn.console.tags import views as tags
from kequn.console.wecom import views as wecom
from kequn.console.work import customer as work_customer
from kequn.console.work import material as work_material
from kequn.console.work import results as work_results
from kequn.console.work import views as work

urlpatterns = [
    path("", home.home, name="home"),
    path("search/", home.search, name="search"),
    path("alive/", home.alive, name="alive"),
    # account
    path("login/", account.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", account.password, name="password_change"),
    path("language/", account.language, name="language"),
    path("me/", account.me, name="me"),
    # knowing
    path("tags/", tags.tags, name="tags"),
    path("tags/refresh", tags.refresh, name="tags_refresh"),
    path("tags/<slug:name>/", tags.tag, name="tag"),
    path("tags/<slug:name>/remove", tags.remove, name="tag_remove"),
    path("tags/<slug:name>/transitions", tag_history.transitions, name="tag_transitions"),
    path("groups/", groups.groups, name="groups"),
    path("groups/load", groups.load, name="groups_load"),
    path("groups/<slug:name>/", groups.group, name="group"),
    path("segments/", segments.segments, name="segments"),
    path("segments/new", segments.new, name="segment_new"),
    path("segments/import", segments.import_yaml, name="segment_import"),
    path("segments/look", live.look, name="segment_look"),
    path("segments/<slug:name>/", segments.segment, name="segment"),
    path("segments/<slug:name>/rule", segments.rule, name="segment_rule"),
    path("segments/<slug:name>/members", segments.members, name="segment_members"),
    path("segments/<slug:name>/history", past.history, name="segment_history"),
    path("segments/<slug:name>/members-on", past.past_members, name="segment_past"),
    path("segments/<slug:name>/versions", segments.versions, name="segment_versions"),
    path("segments/<slug:name>/yaml", segments.yaml, name="segment_yaml"),
    path("segments/<slug:name>/edit", segments.edit, name="segment_edit"),
    path("segments/<slug:name>/act", segments.act, name="segment_act"),
    path("migration/", past.migration, name="migration"),
    path("segments/<slug:name>/insight", insight.note, name="segment_insight"),
    path("segments/<slug:name>/insight/<slug:block>", insight.note_part, name="segment_insight_part"),
    path("overview/", insight.bank, name="overview"),
    path("charts/file", files.chart_file, name="chart_file"),
    path("discovery/", discovery.discoveries, name="discoveries"),
    path("discovery/new/<slug:kind>", discovery.new, name="discovery_new"),
    path("discovery/<int:discovery_id>/", discovery.discovery, name="discovery"),
    path("discovery/<int:discovery_id>/act", discovery.act, name="discovery_act"),
    path("notes/", discovery.write_note, name="note_write"),
    path("notes/<int:note_id>/", discovery.change_note, name="note_change"),
    path("lists/", lists.lists, name="lists"),
    path("lists/new", lists.new, name="list_new"),
    path("lists/<slug:name>/", lists.uploaded, name="list"),
    path("lists/<slug:name>/remove", lists.remove, name="list_remove"),
    path("exports/", segments.exports, name="exports"),
    path("exports/<int:export_id>/file", segments.take, name="export_take"),
    # planning
    path("playbooks/", catalog.playbooks, name="playbooks"),
    path("catalog/", catalog.catalog, name="catalog"),
    path("catalog/new/<slug:kind>", catalog.new, name="definition_new"),
    path("catalog/<int:version_id>/", catalog.definition, name="definition"),
    path("catalog/<int:version_id>/edit", catalog.edit, name="definition_edit"),
    path("catalog/<int:version_id>/act", catalog.act, name="definition_act"),
    path("campaigns/", campaigns.campaigns, name="campaigns"),
    path("campaigns/new", campaigns.new, name="campaign_new"),
    path("campaigns/<slug:name>/", campaigns.campaign, name="campaign"),
    path("campaigns/<slug:name>/edit", campaigns.edit, name="campaign_edit"),
    path("campaigns/<slug:name>/act", campaigns.act, name="campaign_act"),
    path("campaigns/<slug:name>/reproduction", campaigns.reproduction, name="campaign_reproduction"),
    path("campaigns/<slug:name>/touches", campaigns.touches, name="campaign_touches"),
    # doing
    path("tasks/", work.tasks, name="tasks"),
    path("tasks/<int:task_id>/", work_customer.task, name="task"),
    path("tasks/<int:task_id>/assign", moving.assign, name="task_assign"),
    path("outcomes/<int:follow_up_id>/undo", work_customer.undo, name="task_undo"),
    # the branch
    path("team/", board.board, name="board"),
    path("team/tasks/", moving.team_tasks, name="team_tasks"),
    path("team/signals/", board.board_signals, name="board_signals"),
    path("team/outflows/", board.board_escalations, name="board_escalations"),
    path("team/report/", report.board_report, name="board_report"),
    path("team/report/file", report.board_report_file, name="board_report_file"),
    path("team/staff/<slug:staff_no>/", board.board_staff, name="board_staff"),
    path("team/staff/<slug:staff_no>/part/<slug:name>", board.board_staff_part, name="board_staff_part"),
    path("team/staff/<slug:staff_no>/reassign", moving.reassign, name="board_reassign"),
    path("team/staff/<slug:staff_no>/leave", moving.leave, name="board_leave"),
    path("team/reassignments/<int:reassignment_id>/undo", moving.undo, name="board_reassign_undo"),
    path("team/exports/", report.desk_exports, name="desk_exports"),
    path("targets/", targets.targets, name="targets"),
    path("targets/set", targets.target_set, name="target_set"),
    path("targets/upload", targets.target_upload, name="target_upload"),
    path("targets/<int:target_id>/remove", targets.target_remove, name="target_remove"),
    path("targets/branches/<slug:code>", targets.branch_fact, name="branch_fact"),
    path("coaching/", coaching.coaching, name="coaching"),
    path("coaching/new", coaching.coaching_new, name="coaching_new"),
    path("coaching/<int:note_id>/answer", coaching.coaching_answer, name="coaching_answer"),
    path("c/", books.customers, name="customers"),
    path("c/more", books.more, name="customers_more"),
    path("c/whose", books.whose, name="customers_whose"),
    path("c/several", books.several, name="customers_several"),
    path("c/views", books.save_view, name="view_save"),
    path("c/views/<int:view_id>/remove", books.remove_view, name="view_remove"),
    path("c/<slug:customer_id>/", work_customer.customer, name="customer"),
    path("c/<slug:customer_id>/part/<slug:name>", work_customer.part, name="customer_part"),
    path("c/<slug:customer_id>/material", work_material.material, name="customer_material"),
    path("results/", work_results.grid, name="results_grid"),
    path("results/upload", work_results.upload, name="results_upload"),
    path("results/template", work_results.template, name="results_template"),
    path("c/<slug:customer_id>/reveal", work_customer.show_value, name="customer_reveal"),
    path("c/<slug:customer_id>/contact", work_customer.contact, name="customer_contact"),
    path("c/<slug:customer_id>/outcome", work_customer.outcome, name="customer_outcome"),
    path("tasks/<int:task_id>/wrong", feedback.wrong, name="task_wrong"),
    path("feedback/", feedback.feedback, name="feedback"),
    path("feedback/new", feedback.new, name="feedback_new"),
    path("feedback/lists", feedback.lists, name="feedback_lists"),
    path("feedback/lists/<slug:name>/", feedback.entries, name="feedback_entries"),
    path("feedback/wrong/<int:entry_id>/undo", feedback.unmark, name="feedback_unmark"),
    path("feedback/<int:feedback_id>/", feedback.one, name="feedback_one"),
    path("feedback/<int:feedback_id>/answer", feedback.answer, name="feedback_answer"),
    path("feedback/<int:feedback_id>/draft", feedback.draft, name="feedback_draft"),
    *ownership.patterns,
    path("c/<slug:customer_id>/sheet", books.sheet, name="customer_sheet"),
    path("circles/", circles.circles, name="circles"),
    path("circles/<int:circle_id>/", circles.circle, name="circle"),
    path("circles/<int:circle_id>/act", circles.act, name="circle_act"),
    path("stock-takes/", stock_takes.stock_takes, name="stock_takes"),
    path("stock-takes/new", stock_takes.new, name="stock_take_new"),
    path("stock-takes/<int:stock_take_id>/", stock_takes.stock_take, name="stock_take"),
    path("stock-takes/<int:stock_take_id>/work", stock_takes.work, name="stock_take_work"),
    path("stock-takes/<int:stock_take_id>/act", stock_takes.act, name="stock_take_act"),
    path("stock-takes/lines/<int:line_id>/decide", stock_takes.decide, name="line_decide"),
    path("stock-takes/lines/<int:line_id>/back", stock_takes.take_back, name="line_back"),
    path("corrections/", stock_takes.corrections, name="corrections"),
    path("visits/", visits.visits, name="visits"),
    path("visits/new", visits.new, name="visit_new"),
    path("visits/<int:plan_id>/", visits.plan, name="visit_plan"),
    path("visits/<int:plan_id>/act", visits.act, name="visit_act"),
    path("visits/stops/<int:visit_id>/record", visits.record, name="visit_record"),
    path("wecom/", wecom.start, name="wecom_start"),
    path("wecom/enter", wecom.enter, name="wecom_enter"),
    path("wecom/panel", wecom.panel, name="wecom_panel"),
    path("wecom/who", wecom.who, name="wecom_who"),
    path("wecom/c/<slug:customer_id>/", wecom.customer, name="wecom_customer"),
    path("wecom/c/<slug:customer_id>/outcome", wecom.outcome, name="wecom_outcome"),
    path("wecom/c/<slug:customer_id>/undo/<int:follow_up_id>", wecom.undo, name="wecom_undo"),
    path("wecom/c/<slug:customer_id>/hand-over", wecom.hand_over, name="wecom_hand_over"),
    path("wecom/simulator/", wecom.simulator, name="wecom_simulator"),
    path("wecom/simulator/door", wecom.simulated_door, name="wecom_simulated_door"),
    # learning
    path("reviews/", reviews.reviews, name="reviews"),
    path("reviews/<slug:name>/", reviews.review, name="review"),
    path("reviews/<slug:name>/run", reviews.run, name="review_run"),
    path("reviews/<slug:name>/export", reviews.export, name="review_export"),
    # governing
    path("approvals/", approvals.approvals, name="approvals"),
    path("approvals/<int:approval_id>/", approvals.approval, name="approval"),
    path("consent/", compliance.consent, name="consent"),
    path("consent/<slug:customer_id>/", compliance.consent_of, name="consent_of"),
    path("audit/", compliance.audit, name="audit"),
    # running
    path("sources/", sources.sources, name="sources"),
    path("sources/loads/", sources.loads, name="loads"),
    path("sources/loads/<slug:load_id>/", sources.load_page, name="load"),
    path("sources/<slug:name>/", sources.source, name="source"),
    path("sources/<slug:name>/load", sources.load, name="source_load"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/<int:job_id>/", jobs.job, name="job"),
    path("jobs/<int:job_id>/cancel", jobs.cancel, name="job_cancel"),
    path("people/", people.people, name="people"),
    path("people/new", people.new, name="person_new"),
    path("people/<slug:username>/", people.person, name="person"),
    path("people/<slug:username>/switch", people.switch, name="person_switch"),
]
