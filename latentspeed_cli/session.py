"""Composition root: settings in, a running connector out. It knows everybody, decides nothing, and stays short."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from . import config, keys, plugins
from .clock import Clock, SystemClock
from .connector.parts import Parts
from .connector.perpetual import PerpetualDerivativeBase
from .connector.streams import StreamTransport
from .connector.throttle import Throttle
from .core.events import Event
from .core.market_data import DEFAULT_INTERVAL
from .core.types import Network
from .entropy import Entropy, SystemEntropy
from .errors import ConfigError, CredentialError, PluginError, UsageError
from .hookspecs import ConnectorSpec
from .telemetry import Counters

if TYPE_CHECKING:
    from .connector.auth import Auth
    from .journal import Inspector


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a connector goes, and as whom. instance: of the sandbox, else empty. ws_url, node_url: where they do not
    follow from base_url.
    """

    base_url: str | None
    instance: str
    account: str | None
    key: keys.Secret | None
    ws_url: str | None = None
    node_url: str | None = None


@asynccontextmanager
async def open_connector(
    settings: config.Settings,
    *,
    sign: bool,
    public: bool = False,
    candle_interval: str = DEFAULT_INTERVAL,
    notify: Callable[[str], None] = lambda text: None,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
) -> AsyncIterator[PerpetualDerivativeBase]:
    """A running connector for `settings`; everything is closed at the end.

    sign: a key is needed, and it is an error not to have one. public: no account is needed either, so nothing looks
    for one. candle_interval: of streamed candles. notify: told what a person should know, such as that a sandbox was
    started. clock, entropy: the machine's own unless somebody needs every request to be the same again, as tests with
    recorded replies do.
    """
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    notice = plugins.check_allowed(plugins.find(settings.venue), settings.network)
    if notice is not None:
        notify(notice)
    plugin = plugins.load(settings.venue)
    if settings.network not in plugin.spec.networks:
        raise UsageError(f"{settings.venue} has no network {settings.network}")
    config.ensure_folder(settings.state_dir)
    place = (
        _sandbox(settings, plugin.spec, notify)
        if settings.network == Network.SANDBOX.value
        else _venue(settings, plugin.spec, sign, public)
    )
    venue_config = _plugin_config(plugin.spec, settings, place)
    hook = plugin.hook
    needs_auth = sign or (place.account is None and place.key is not None)
    auth = hook.latentspeed_auth(config=venue_config) if needs_auth else None

    from .cache import MarketCache
    from .journal import Journal
    from .transport.grpc import GrpcTransport
    from .transport.http import HttpTransport
    from .transport.routes import Routes

    def streams() -> StreamTransport:
        from .transport.ws import WsTransport

        return WsTransport(clock, entropy)

    async with AsyncExitStack() as stack:
        journal = Journal.open(journal_path(settings), network=settings.network, instance=place.instance, clock=clock)
        stack.enter_context(closing(journal))
        web_utils = hook.latentspeed_web_utils(config=venue_config)
        http = await stack.enter_async_context(HttpTransport(clock, timeout_s=settings.timeout_s))
        calls = await stack.enter_async_context(GrpcTransport(clock, timeout_s=settings.timeout_s))
        parts = Parts(
            venue=plugin.spec.name,
            network=settings.network,
            account=_account(auth, None if public else venue_config, place),
            auth=auth if sign else None,
            web_utils=web_utils,
            http=Throttle(Routes(http, calls), web_utils.rate),
            streams=streams,
            order_book_source=lambda symbols: hook.latentspeed_order_book_data_source(
                config=venue_config, symbols=symbols, candle_interval=candle_interval
            ),
            user_stream_source=lambda symbols: hook.latentspeed_user_stream_data_source(
                config=venue_config, symbols=symbols
            ),
            journal=journal,
            clock=clock,
            entropy=entropy,
            guards=settings.guards,
            cache=MarketCache(settings.cache_dir, clock),
            instance=place.instance,
            connector_type=plugin.spec.connector_type,
        )
        connector = hook.latentspeed_connector(config=venue_config, parts=parts)
        if not isinstance(connector, PerpetualDerivativeBase):
            raise PluginError(f"connector {settings.venue} is not one to perpetual markets")
        counters = Counters(settings.venue)
        connector.add_listener(Event, counters.count)
        yield await stack.enter_async_context(connector)


def _account(auth: Auth | None, venue_config: object, place: Place) -> str | None:
    """Whose orders are meant. venue_config: None where nobody's are, so that no address is looked at for prices."""
    if auth is not None:
        return auth.account
    return getattr(venue_config, "acts_for", None) or place.account


def journal_path(settings: config.Settings) -> Path:
    """Where the journal of the chosen network is."""
    return settings.state_dir / f"journal-{settings.network}.db"


@contextmanager
def open_inspector(settings: config.Settings) -> Iterator[Inspector | None]:
    """The journal of the chosen network, to look at; None when there is none. No venue is needed, and none is asked."""
    from .journal import Inspector

    inspector = Inspector.open(journal_path(settings), network=settings.network, clock=SystemClock())
    try:
        yield inspector
    finally:
        if inspector is not None:
            inspector.close()


def _sandbox(settings: config.Settings, spec: ConnectorSpec, notify: Callable[[str], None]) -> Place:
    """The local exchange, started if none runs, and the key that is the command line's own there.

    Raises ConfigError where one address is configured and the venue has several: the others would be another sandbox's.
    """
    from .sandbox import accounts

    if settings.base_url is not None:
        if "node_url" in spec.config_type.__struct_fields__:
            raise ConfigError(
                f"a sandbox of {spec.name} has more addresses than the one that is configured",
                hint="leave LATENTSPEED_BASE_URL and base_url out: the sandbox of the state folder has all of them",
            )
        key = keys.Secret(accounts.PRIVATE_KEYS[settings.sandbox_account])
        return Place(base_url=settings.base_url, instance=settings.base_url, account=settings.account, key=key)
    from .sandbox import supervisor

    info = supervisor.ensure(settings.state_dir, notify=notify)
    venue = info.venue(settings.venue)
    own = venue.accounts[settings.sandbox_account]
    return Place(
        base_url=venue.base_url,
        instance=info.instance or "",
        account=settings.account or own.address,
        key=keys.Secret(own.private_key),
        ws_url=venue.ws_url,
        node_url=venue.node_url,
    )


def _venue(settings: config.Settings, spec: ConnectorSpec, sign: bool, public: bool) -> Place:
    """A venue, with a key where one is needed; an account without a configured address is the key's own."""
    key = None
    account = settings.vault or settings.account
    if sign or (account is None and not public):
        try:
            key = keys.load(keys.choose(settings.key, spec.key_variables))
        except CredentialError:
            if sign or settings.key is not None:
                raise
    return Place(base_url=settings.base_url, instance="", account=account, key=key)


def _plugin_config(spec: ConnectorSpec, settings: config.Settings, place: Place) -> Any:
    """The plugin's own settings, made of ours. Raises ConfigError for one that it does not have, or not like that."""
    kinds = {field.name: field.type for field in msgspec.structs.fields(spec.config_type)}
    fields = {
        "network": settings.network,
        "base_url": place.base_url,
        "account": settings.account,
        "vault": settings.vault,
        "key": place.key,
    }
    if place.node_url is not None:
        fields.update(ws_url=place.ws_url, node_url=place.node_url)
    own = {**settings.venue_options}
    if settings.vault is not None and "vault" not in kinds:
        own["subaccount"] = settings.vault
    for name, text in own.items():
        if name not in kinds:
            raise ConfigError(f"{spec.name} has no setting {name!r}")
        try:
            fields[name] = msgspec.convert(text, kinds[name], strict=False)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{name}: {error}") from None
    return spec.config_type(**{name: value for name, value in fields.items() if name in kinds})
