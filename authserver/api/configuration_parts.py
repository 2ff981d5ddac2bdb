"""What the configuration's operations rest on; `app/` puts it together."""

from collections.abc import Callable
from dataclasses import dataclass

from authserver.appetize.managed_apps import ManagedApps
from authserver.federation.trusted import TrustedIssuers
from authserver.impersonation.judge import Judge
from authserver.tokens.keyring import Keyring


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationParts:
    """Apps, issuers, keys, the policy, and when this process did its jobs last (seconds, None for never)."""

    apps: ManagedApps
    trusted: TrustedIssuers
    keyring: Keyring
    judge: Judge
    jobs_done_at: Callable[[], int | None]
