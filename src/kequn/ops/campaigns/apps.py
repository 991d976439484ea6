"""Django's registration of the app."""

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.campaigns"
    label = "campaigns"

    def ready(self) -> None:
        """Follow decisions, do jobs, and give delivery the gate and the gate its ledger."""
        from kequn.ops.audiences.services import tell_touches
        from kequn.ops.campaigns import queries, sending, services
        from kequn.ops.campaigns.using import campaigns_using
        from kequn.ops.delivery.services import install_gate
        from kequn.ops.governance.services import on_decision
        from kequn.ops.jobs.services import register
        from kequn.ops.tags.queries import tell_tag_users
        from kequn.ops.workbench.services import tell_campaigns

        on_decision("campaign", services.decide_campaign)
        register("campaign.freeze", services.freeze_job)
        register("campaign.launch", services.launch_job)
        install_gate(sending.gate_at_sending)
        tell_touches("delivery", queries.recent_contacts)
        tell_campaigns(queries.briefs_of)
        tell_tag_users("campaigns", campaigns_using)
