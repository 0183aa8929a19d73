"""The ids of what we make inside Asterisk. All derive from the call's, so that a later process knows them again."""

from dataclasses import dataclass

_MEDIA = ".media-"


@dataclass(frozen=True, slots=True)
class Names:
    """Ids of one application: `<app>.<call_id>` is a visit's bridge, `<app>.<call_id>.media-1` its media channel.

    A call's id names one visit of a caller, so nothing of one visit is ever taken for another's.
    """

    app: str  # has no dot, so that no application's name begins another's ids

    def call_id(self, channel_id: str, visit_id: str) -> str:
        """The id of one visit of a channel, which may come again."""
        return f"{channel_id}-{visit_id[:12]}"

    def bridge(self, call_id: str) -> str:
        return f"{self.app}.{call_id}"

    def media(self, call_id: str) -> str:
        return f"{self.app}.{call_id}{_MEDIA}1"

    def call_of_media(self, channel_id: str) -> str | None:
        """The call whose media channel this is; None when it is none of ours."""
        call_id, separator, ordinal = channel_id.removeprefix(f"{self.app}.").rpartition(_MEDIA)
        is_ours = channel_id.startswith(f"{self.app}.") and separator and ordinal.isdigit()
        return call_id if is_ours else None

    def call_of_bridge(self, bridge_id: str) -> str | None:
        """The call whose bridge this is; None when it is none of ours."""
        is_ours = bridge_id.startswith(f"{self.app}.") and self.call_of_media(bridge_id) is None
        return bridge_id.removeprefix(f"{self.app}.") if is_ours else None
