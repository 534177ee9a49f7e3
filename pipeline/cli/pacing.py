"""The settings of pace as the send stage takes them: limits by span of time, providers by name, warm-up plans."""

from pipeline.config import Loaded, SpansSection
from pipeline.data.mx_groups import groups
from pipeline.domain import ConfigurationError
from pipeline.send.pace import Pace, Rates


def pace_settings(loaded: Loaded) -> Pace:
    """Return all limits of sending but the plain ones (mail.rate, mail.per_day, mail.per_domain_rate).

    Raises ConfigurationError for a provider that no MX group and no domain is called after.
    """
    mail = loaded.settings.mail
    known = set(groups().values())
    for name in mail.providers:
        if name not in known and "." not in name:
            raise ConfigurationError(
                f"mail.providers.{name}: there is no such provider",
                f"known are {', '.join(sorted(known))}, and the domain that a provider's mail servers are in",
                "Correct it in config.toml.",
            )
    return Pace(
        every=Rates(per_minute=mail.per_minute, per_hour=mail.per_hour),
        relay=_rates(mail.per_relay, mail.per_relay.per_second),
        campaign=_rates(mail.per_campaign, mail.per_campaign.per_second),
        mx=_rates(mail.per_provider, mail.per_provider.per_second),
        mx_groups={name: _rates(section, section.per_second) for name, section in mail.providers.items()},
        domain=_rates(mail.per_domain, 0.0),
        box_every=mail.mailbox_interval,
        warm_up={int(day): cap for day, cap in mail.warm_up.items()},
    )


def _rates(section: SpansSection, per_second: float) -> Rates:
    return Rates(per_second, section.per_minute, section.per_hour, section.per_day)
