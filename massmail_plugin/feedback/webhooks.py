from __future__ import annotations

from typing import Any


def receive_tracking_event(sender: Any, event: Any, esp_name: str, **kwargs: Any) -> None:
    return None
