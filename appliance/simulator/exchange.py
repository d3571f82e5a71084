"""The state of one simulated exchange: its markets, clock, limits, faults and shifts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from appliance.errors import ConfigError
from appliance.simulator.book import Book
from appliance.simulator.caches import MarketCaches, PageCaches
from appliance.simulator.fault_file import FaultScript, load_faults, parse_fault
from appliance.simulator.faults import FaultKind, FaultPlan, Occurrence
from appliance.simulator.limits import RequestLimits
from appliance.simulator.listing import profile
from appliance.simulator.options import SimulatorOptions
from appliance.simulator.replay import ReplayMarket
from appliance.simulator.saved_state import SavedState, read_state, write_state
from appliance.simulator.scripted_markets import Listing, load_markets
from appliance.simulator.shifts import (
    Shift,
    ShiftSchedule,
    load_scenario,
    parse_shift,
    shift_to_json,
)
from appliance.simulator.simulated_time import SimulatedTime, start_time, to_ms
from appliance.simulator.synthetic import SyntheticMarket
from appliance.simulator.windows import MS_PER_MINUTE

_REPLAY_LEAD = timedelta(hours=1)


class Exchange:
    """Everything that the HTTP and WebSocket sides share.

    Raises:
        ConfigError: a replay, scenario or fault file cannot be used.
    """

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.limits = RequestLimits(options.has_limits)
        self.caches = PageCaches()
        self._market_caches = MarketCaches()
        replays = {code: ReplayMarket(code, path) for code, path in options.replay.items()}
        saved = read_state(options)
        self.time = _resume(saved, options, replays)
        self.started_at = self.time.simulated_at if saved is None else saved.started_at
        self.faults = self._scripted_faults()
        self._posted = [] if saved is None else list(saved.shifts)
        scripted = load_scenario(options.scenario, self.started_at) if options.scenario else []
        self.shifts = ShiftSchedule([*scripted, *self._posted])
        self._replays = replays
        self._books: dict[str, Book] = {}
        self._listings = {code: Listing(profile(code)) for code in (*options.markets, *replays)}
        if options.scenario:
            found = load_markets(options.scenario, self.started_at)
            self._listings |= {listing.profile.code: listing for listing in found}
        self._save()

    @property
    def codes(self) -> tuple[str, ...]:
        """The markets that are listed now."""
        minute = self.time.now() // MS_PER_MINUTE
        return tuple(code for code, each in self._listings.items() if each.is_listed(minute))

    def name(self, code: str) -> str:
        """Return the name of a market that is or was listed."""
        return self._listings[code].profile.name

    def book(self, code: str) -> Book | None:
        """Return a listed market's book, None for an unknown code."""
        listing = self._listings.get(code)
        if listing is None or not listing.is_listed(self.time.now() // MS_PER_MINUTE):
            return None
        if code not in self._books:
            replay = self._replays.get(code)
            self._books[code] = Book(replay or self._synthetic(listing), self.caches)
        return self._books[code]

    def _synthetic(self, listing: Listing) -> SyntheticMarket:
        seed, caches = self.options.seed, self._market_caches
        return SyntheticMarket(listing.profile, seed, self.shifts, caches)

    def _scripted_faults(self) -> FaultPlan:
        script = FaultScript()
        if self.options.faults is not None:
            script = load_faults(self.options.faults, self.started_at, self.options.speed)
        return FaultPlan(script.occurrences(to_ms(self.started_at)), self.time.now())

    def fault(self, fields: Mapping[str, Any]) -> list[Occurrence]:
        """Let a fault happen, now unless the fields say when; return each time of it.

        Raises:
            ConfigError: unknown kind or field, impossible value, or drawn by the hour for ever.
        """
        now_at = self.time.now_at()
        rule = parse_fault(fields, now_at, self.options.speed)
        if rule.per_hour:
            raise ConfigError("fault: per_hour is for the fault file", hint="give times or at")
        occurrences = list(FaultScript((rule,)).occurrences(to_ms(now_at)))
        for occurrence in occurrences:
            self.faults.add(occurrence)
        return occurrences

    def is_out(self) -> bool:
        """Whether an outage drops what arrives now; asking counts as one that was dropped."""
        return self.faults.take(FaultKind.OUTAGE, self.time.now()) is not None

    def shift(self, fields: Mapping[str, Any]) -> Shift:
        """Shift the synthetic markets from the next simulated minute on, and remember it.

        Raises:
            ConfigError: unknown field or impossible value.
        """
        now_at = self.time.now_at()
        shift = parse_shift(fields, now_at, "shift")
        if shift.market and shift.market not in self.codes:
            raise ConfigError(
                f"shift: no market {shift.market!r}", hint=f"markets: {', '.join(self.codes)}"
            )
        earliest = int(-(-now_at.timestamp() // 60))
        if shift.start < earliest:  # what has traded already stays as it was
            shift = Shift(**{**shift_to_json(shift), "start": earliest})  # type: ignore[arg-type]
        self.shifts.add(shift)
        self._posted.append(shift)
        self._save()
        return shift

    def describe(self) -> dict[str, object]:
        """Return seed, speed, simulated time and shifts for the control endpoint."""
        return {
            "now": self.time.now_at().isoformat(),
            "started": self.started_at.isoformat(),
            "seed": self.options.seed,
            "speed": self.options.speed,
            "requests": {"taken": self.limits.taken, "refused": self.limits.refused},
            "markets": list(self.codes),
            "replay": {code: path.name for code, path in self.options.replay.items()},
            "shifts": [shift_to_json(shift) for shift in self.shifts.all()],
            "faults": self.faults.describe(self.time.now()),
        }

    def narration(self) -> list[str]:
        """Return lines for the operator: what is served and from when."""
        lines = [
            f"simulated time starts at {self.started_at:%Y-%m-%dT%H:%M:%SZ}, "
            f"{self.options.speed:g} simulated seconds a second"
        ]
        for code, replay in self._replays.items():
            end_at = datetime.fromtimestamp(replay.ends_at_minute * 60, UTC)
            lines.append(
                f"{code} replays {self.options.replay[code]}: candles of {replay.base_unit} min "
                f"until {end_at:%Y-%m-%dT%H:%M:%SZ}, nothing after that; finer ones are empty"
            )
        if self._replays and self.options.start_at is None:
            lines.append(
                "--start was not given: replaying from one hour before the first file's end"
            )
        return lines

    def _save(self) -> None:
        write_state(self.options, SavedState(self.started_at, self.time, tuple(self._posted)))


def _resume(
    saved: SavedState | None, options: SimulatorOptions, replays: Mapping[str, ReplayMarket]
) -> SimulatedTime:
    """Continue the saved clock, so that simulated time never jumps back over a restart."""
    if saved is not None:
        if saved.time.speed == options.speed:
            return saved.time
        return start_time(saved.time.now_at(), options.speed)
    start_at = options.start_at
    if start_at is None and replays:
        ends = next(iter(replays.values())).ends_at_minute * 60
        start_at = datetime.fromtimestamp(ends, UTC) - _REPLAY_LEAD
    return start_time(start_at, options.speed)
