"""The pages of who has whom."""

from __future__ import annotations

from django.urls import path

from kequn.console.ownership import care, plans, pools, remote, staff, unclaimed

patterns = [
    path("unclaimed/", unclaimed.unclaimed, name="unclaimed"),
    path("unclaimed/claim", unclaimed.claim, name="unclaimed_claim"),
    path("unclaimed/give", unclaimed.give, name="unclaimed_give"),
    path("c/<slug:customer_id>/give-up", unclaimed.give_up, name="customer_give_up"),
    path("c/<slug:customer_id>/owners", unclaimed.history, name="customer_owners"),
    path("owners/", staff.loads, name="owners"),
    path("owners/staff/<slug:staff_no>/", staff.capacity, name="owners_staff"),
    path("owners/leave", staff.leave, name="owners_leave"),
    path("owners/leave/cancel", staff.cancel, name="owners_leave_cancel"),
    path("owners/calendar", staff.calendar, name="owners_calendar"),
    path("owners/plans", plans.plans, name="owners_plans"),
    path("owners/hand-over", plans.hand_over, name="owners_hand_over"),
    path("owners/plans/<int:assignment_id>/", plans.plan, name="owners_plan"),
    path("owners/plans/<int:assignment_id>/act", plans.act, name="owners_plan_act"),
    path("owners/idle", care.idle, name="owners_idle"),
    path("owners/notices", care.notices, name="owners_notices"),
    path("owners/notices/send", care.notice, name="owners_notice"),
    path("owners/wecom", care.wecom, name="owners_wecom"),
    path("owners/conflicts", care.conflicts, name="owners_conflicts"),
    path("owners/changes", care.changes, name="owners_changes"),
    path("remote/", remote.queue, name="remote"),
    path("remote/act", remote.act, name="remote_act"),
    path("pools/", pools.pools, name="pools"),
    path("pools/<slug:name>/", pools.pool, name="pool"),
]
