"""The plugin contract. One entry point in the group "latentspeed.connectors" names a module with these hookimpls.

Each connector lives in a plugin manager of its own, so a hookimpl never asks whether it is meant. Every hook imports
what it needs inside its function: `stream book` must not pay for a signer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import pluggy

if TYPE_CHECKING:
    from .connector.auth import Auth
    from .connector.base import ConnectorBase, Parts
    from .connector.streams import DataSource
    from .connector.web_utils import WebUtils
    from .core.symbols import SymbolMap
    from .sandbox.model import Scenario, VenueModel

API_VERSION = 1
ENTRY_POINT_GROUP = "latentspeed.connectors"
PROJECT = "latentspeed"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class ConnectorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector says about itself. Cheap: no import of weight.

    name: what `--venue` takes. api_version: API_VERSION it was written for. config_type: a msgspec Struct with at least
    network, base_url, account and key; where the account's address alone does not say whose orders are meant, a
    property `acts_for` does, as far as that is configured. networks: names it can reach. order_types, tifs: values of
    OrderType and TimeInForce it can send. capabilities: words such as "post_only", "reduce_only",
    "cancel_by_client_id", "sub_accounts", "modify". key_variables: environment variables that may hold a key, first
    match wins.
    """

    name: str
    title: str
    api_version: int
    config_type: type[Any]
    networks: tuple[str, ...]
    order_types: tuple[str, ...]
    tifs: tuple[str, ...]
    capabilities: tuple[str, ...]
    channels: tuple[str, ...]
    key_variables: tuple[str, ...] = ()
    connector_type: str = "perpetual"


class ConnectorHooks(Protocol):
    """The hooks, all of them `firstresult`. A connector implements every one."""

    @hookspec(firstresult=True)
    def latentspeed_connector_spec(self) -> ConnectorSpec:
        """What the connector is and can do."""

    @hookspec(firstresult=True)
    def latentspeed_web_utils(self, config: Any) -> WebUtils:
        """Addresses and the reading of replies."""

    @hookspec(firstresult=True)
    def latentspeed_auth(self, config: Any) -> Auth:
        """The signer. Asked for only by commands that sign. Raises CredentialError."""

    @hookspec(firstresult=True)
    def latentspeed_order_book_data_source(self, config: Any, symbols: SymbolMap, candle_interval: str) -> DataSource:
        """Public streams. candle_interval: of the candles channel. Raises OrderRefused for one that the venue lacks."""

    @hookspec(firstresult=True)
    def latentspeed_user_stream_data_source(self, config: Any, symbols: SymbolMap) -> DataSource:
        """Private streams of one account."""

    @hookspec(firstresult=True)
    def latentspeed_connector(self, config: Any, parts: Parts) -> ConnectorBase:
        """The connector, given its parts. Its constructor performs no I/O."""

    @hookspec(firstresult=True)
    def latentspeed_sandbox(self, scenario: Scenario) -> VenueModel:
        """A model of the venue for the local exchange."""
