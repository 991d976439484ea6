"""Text messages by an HTTP gateway that can be asked by our own key."""
