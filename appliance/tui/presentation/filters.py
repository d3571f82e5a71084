"""What `/` means on the screens: the same filter as where a log's lines are chosen."""

from appliance.domain.text_filter import HELP, Filter, parse_filter

__all__ = ["HELP", "Filter", "parse_filter"]
