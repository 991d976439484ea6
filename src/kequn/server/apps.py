"""Django's registration of the server: wires the runtime when all apps are loaded."""

from django.apps import AppConfig


class ServerConfig(AppConfig):
    """The wiring of the process."""

    name = "kequn.server"
    label = "server"

    def ready(self) -> None:
        """Install the runtime."""
        from kequn.server.wiring import wire

        wire()
