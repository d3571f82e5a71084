"""Every error the appliance raises on purpose.

Two axes: the area is the class, the consequence is the marker. `TransientError` means that the
same call may succeed later (Airflow retries it, the CLI exits 3); `TerminalError` means that it
will not until somebody changes something. The hint is what the operator does next.
"""

from __future__ import annotations

from enum import StrEnum


class ApplianceError(Exception):
    """Root of all deliberate errors.

    Args:
        message: what went wrong, in one sentence, with the values that matter.
        code: stable machine-readable identifier such as `store.locked`.
        hint: the operator's next step; empty when there is none.
        fields: identifiers that belong to the failure (market, version, path).
    """

    code_default = "appliance.failed"

    def __init__(
        self, message: str, *, code: str | None = None, hint: str = "", **fields: object
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = str(code or self.code_default)
        self.hint = hint
        self.fields = fields


class TransientError(ApplianceError):
    """Marker: the same call may succeed later."""


class TerminalError(ApplianceError):
    """Marker: the same call fails until something is changed."""


class ConfigError(TerminalError):
    """Configuration or usage is wrong."""

    code_default = "config.invalid"


class StoreError(ApplianceError):
    """The DuckDB store refused or could not be reached."""

    code_default = "store.failed"


class StoreUnavailable(StoreError, TransientError):
    """The store is locked by another process or its service does not answer."""

    code_default = "store.unavailable"


class ExchangeCode(StrEnum):
    """What adapters tell apart; whoever matches on an exchange's error matches on these."""

    RATE_LIMITED = "exchange.rate_limited"
    BLOCKED = "exchange.blocked"
    NONSENSE = "exchange.nonsense"
    UNREACHABLE = "exchange.unreachable"
    UNKNOWN_MARKET = "exchange.unknown_market"
    DELISTED = "exchange.delisted"
    """Given above the port: the market is stored, and the exchange knows it no longer."""


class ExchangeError(ApplianceError):
    """The market source answered with an error."""

    code_default = "exchange.failed"


class ExchangeUnavailable(ExchangeError, TransientError):
    """The market source cannot be reached, is over its limit, or answered nonsense."""

    code_default = "exchange.unavailable"


class ExchangeRejected(ExchangeError, TerminalError):
    """The market source refused the request itself, such as an unknown market."""

    code_default = "exchange.rejected"


class RegistryError(ApplianceError):
    """The model registry refused."""

    code_default = "registry.failed"


class RegistryUnavailable(RegistryError, TransientError):
    """MLflow does not answer."""

    code_default = "registry.unavailable"


class ModelNotFound(RegistryError, TerminalError):
    """No such model, version or alias."""

    code_default = "registry.not_found"


class ModelRefused(RegistryError, TerminalError):
    """A model is not what was registered."""

    code_default = "registry.refused"


class ProductionMoved(RegistryError, TerminalError):
    """Production is not what a decision was made on."""

    code_default = "registry.moved"


class AirflowApiError(ApplianceError):
    """Airflow's REST API refused."""

    code_default = "airflow.failed"


class AirflowUnavailable(AirflowApiError, TransientError):
    """Airflow does not answer."""

    code_default = "airflow.unavailable"


class ServiceError(ApplianceError):
    """A supervised service could not be started, stopped or found."""

    code_default = "service.failed"


class ApplianceNotRunning(ServiceError, TransientError):
    """No supervisor answers on this home's control socket."""

    code_default = "appliance.not_running"


class DataQualityError(ApplianceError):
    """Stored data does not allow the step that was asked for."""

    code_default = "data.quality"


class InsufficientData(DataQualityError, TransientError):
    """Not enough rows yet; more arrive by themselves."""

    code_default = "data.insufficient"


class UnrepairedGap(DataQualityError, TransientError):
    """A window has candles that nobody knows yet; they are being repaired."""

    code_default = "data.gap"


class AlertDeliveryError(ApplianceError):
    """A message could not be handed to Slack."""

    code_default = "alert.undelivered"


class AlertUndelivered(AlertDeliveryError, TransientError):
    """Slack does not answer, or not as Slack does; it may later."""


class AlertRefused(AlertDeliveryError, TerminalError):
    """Slack itself refuses, and will until the webhook, the token or the channel is another."""

    code_default = "alert.refused"
