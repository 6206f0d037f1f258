"""The made-up businesses' days: when they are open, busy or away, and at what hour something can be."""

import random
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.demo.cast import DAYS, TIME_ZONE, Profile

ZONE = ZoneInfo(TIME_ZONE)
HOURS = {
    "group": (0, 0),
    "market": (8, 12),
    "cafe": (9, 17),
    "video": (9, 17),
    "phone": (8, 18),
    "email": (7, 21),
    "linkedin": (7, 22),
    "social": (7, 22),
    "event": (17, 20),
}
BY_APPOINTMENT = ("cafe", "video", "ours")
AWAY_DAYS = 14
HOLIDAYS = ((12, 25), (12, 26), (1, 1))


class Days:
    """The business's calendar: when it is open, busy or away, and when somebody has time."""

    def __init__(self, profile: Profile, today: date, chance: random.Random | None = None) -> None:
        self.profile = profile
        self.today = today
        self.began = today - timedelta(days=DAYS)
        self._chance = chance or random.Random(0)
        self._taken: set[tuple[date, int]] = set()

    def date_of(self, day: float) -> date:
        return self.began + timedelta(days=int(day))

    def busy(self, day: float) -> float:
        return self.profile.busy[self.date_of(day).month - 1]

    def is_away(self, on: date) -> bool:
        """Over the holidays, and two weeks a year, these not in the last two months told: they hold the stories."""
        month, first = self.profile.away
        since = (on - date(on.year, month, first)).days
        return (on.month, on.day) in HOLIDAYS or (0 <= since < AWAY_DAYS and on < self.today - timedelta(days=60))

    def is_kept(self, place: str, on: date) -> bool:
        """Whether one can do something at this place on that day."""
        match place:
            case "hub" | "ours":
                return on.weekday() in self.profile.open_days and not self.is_away(on)
            case "group":
                return self.group_meets(on) and not self.is_away(on)
            case "market":
                return on.weekday() == self.profile.market_day and not self.is_away(on)
            case "cafe" | "video":
                return on.weekday() < 5 and not self.is_away(on)
            case "phone" | "email":
                return on.weekday() < 6
            case _:
                return True

    def group_meets(self, on: date) -> bool:
        group = self.profile.group
        return on.weekday() == group.weekday and (on.toordinal() - 1) // 7 % group.weeks == 0

    def find(self, place: str, day: float) -> datetime | None:
        """The first time from this day on at which it can be, in UTC; None when that is not before today."""
        on = self.date_of(day)
        while on < self.today:
            if self.is_kept(place, on) and (at := self._hour(place, on)) is not None:
                return at
            on += timedelta(days=1)
        return None

    def after(self, at: datetime, hours: float, place: str) -> datetime | None:
        """So many hours later, moved out of the night; None when that is not before today."""
        local = (at + timedelta(seconds=round(hours * 3600))).astimezone(ZONE)
        first, last = HOURS[place]
        if local.hour < first or local.hour > last:
            on = local.date() + timedelta(days=1 if local.hour > last else 0)
            local = datetime.combine(on, time(first, self._chance.randint(0, 59), local.second), ZONE)
        return None if local.date() >= self.today else local.astimezone(UTC)

    def at(self, on: date, hour: int, minute: int = 0) -> datetime:
        return datetime.combine(on, time(hour, minute), ZONE).astimezone(UTC)

    def _hour(self, place: str, on: date) -> datetime | None:
        """A time within the place's hours; two meetings are never at the same hour."""
        if place == "group":
            return self.at(on, self.profile.group.hour, self._chance.randint(0, 50))
        first, last = self.profile.hours if place in ("hub", "ours") else HOURS[place]
        hour = self._chance.randint(first, last - 1)
        if place in BY_APPOINTMENT:
            free = [one for one in range(first, last) if (on, one) not in self._taken]
            if not free:
                return None
            hour = self._chance.choice(free)
            self._taken |= {(on, hour), (on, hour + 1)}
            return self.at(on, hour)
        return self.at(on, hour, self._chance.randint(0, 59)) + timedelta(seconds=self._chance.randint(0, 59))
