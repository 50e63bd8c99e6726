"""The mutants: deliberate bugs, each of which the simulator has to catch by the invariant that is named here."""

from __future__ import annotations

from . import broken_journal, broken_orders, broken_streams
from .mutant import Change, Mutant, Replace

HYPERLIQUID, DYDX = ("hyperliquid",), ("dydx_v4",)
_CONNECTOR, _CORE, _JOURNAL = "latentspeed_cli.connector.", "latentspeed_cli.core.", "latentspeed_cli.journal.journal:"


def _at(where: str, to: Replace) -> Change:
    return Change(where=where, to=to)


def _faults(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


PLACING = (
    Mutant(
        name="resend-on-timeout",
        breaks="A reply that takes long is taken for none, and the order is sent again with another nonce.",
        changes=(_at(_CONNECTOR + "submitter:Submitter.send", broken_orders.send_again_with_another_nonce),),
        faults=_faults("reply_late", "reply_lost"),
        caught_by="I1",
    ),
    Mutant(
        name="retry-layer",
        breaks="A layer below everything sends the same bytes again when their reply is lost.",
        changes=(_at(_CONNECTOR + "throttle:Throttle.send", broken_orders.send_again_when_the_reply_is_lost),),
        faults=_faults("reply_lost"),
        caught_by="I1",
    ),
    Mutant(
        name="5xx-is-failed",
        breaks="A 5xx, or UNAVAILABLE, is read as the venue's refusal.",
        changes=(
            _at("latentspeed_hyperliquid.web_utils:HyperliquidWebUtils.check", broken_orders.read_a_5xx_as_refused),
            _at("latentspeed_dydx_v4.web_utils:DydxV4WebUtils.check", broken_orders.read_a_5xx_as_refused),
        ),
        faults=_faults("failed_after"),
        caught_by="I8",
    ),
    Mutant(
        name="lost-is-not-sent",
        breaks="A lost reply is read as a request that never left.",
        changes=(_at(_CONNECTOR + "submitter:drive", broken_orders.read_a_lost_reply_as_not_sent),),
        faults=_faults("reply_lost"),
        caught_by="I8",
    ),
    Mutant(
        name="not-found-is-never",
        breaks='"Not found" is read as "never existed", and the order called FAILED.',
        changes=(_at(_CONNECTOR + "reconciler:Reconciler.resolve", broken_orders.believe_not_found),),
        faults=_faults("request_late", "not_found", "reply_lost"),
        caught_by="I8",
    ),
    Mutant(
        name="used-is-burned",
        breaks="A nonce that was used by something is taken for one that was burned.",
        changes=(
            _at(_CONNECTOR + "reconciler:Reconciler._look_for_used", broken_orders.take_a_used_nonce_for_a_burned_one),
        ),
        faults=_faults("reply_lost", "not_found", "incomplete_list"),
        caught_by="I8",
        venues=HYPERLIQUID,
        rare_on=HYPERLIQUID,
    ),
    Mutant(
        name="fence-beside",
        breaks="The fence burns the nonce after the order's own.",
        changes=(
            _at("latentspeed_hyperliquid.connector:HyperliquidPerpetual.fence_flow", broken_orders.burn_another_nonce),
        ),
        faults=_faults("request_late"),
        caught_by="I8",
        venues=HYPERLIQUID,
    ),
    Mutant(
        name="deadline-ignored",
        breaks="A command takes ten minutes, whatever time it was given.",
        changes=(_at(_CONNECTOR + "base:ConnectorBase.place_order", broken_orders.ignore_the_deadline),),
        faults=_faults(),
        caught_by="I16",
    ),
    Mutant(
        name="signal-ignored",
        breaks="An order that is not sent yet when the signal comes is sent all the same.",
        changes=(_at(_CONNECTOR + "desk:Desk.stop", broken_orders.go_on_after_a_signal),),
        faults=_faults("stop_signal"),
        caught_by="I22",
    ),
    Mutant(
        name="more-than-typed",
        breaks="Twice the amount that was typed is sent.",
        changes=(_at(_CONNECTOR + "placer:Placer._prepare", broken_orders.send_more_than_typed),),
        faults=_faults(),
        caught_by="I13",
    ),
    Mutant(
        name="guards-unasked",
        breaks="Nobody asks the guards before an order leaves.",
        changes=(_at(_CONNECTOR + "placer:check_guards", broken_orders.ask_no_guards),),
        faults=_faults(),
        caught_by="I13",
    ),
    Mutant(
        name="other-network",
        breaks="Orders are written down as of another network than the one they are sent to.",
        changes=(_at(_CONNECTOR + "placer:Placer.new_order", broken_orders.journal_for_another_network),),
        faults=_faults(),
        caught_by="I12",
    ),
    Mutant(
        name="hedged-reads",
        breaks="Every question is asked twenty times at once.",
        changes=(_at(_CONNECTOR + "reader:Reader.ask", broken_orders.ask_many_times_at_once),),
        faults=_faults(),
        caught_by="I17",
    ),
    Mutant(
        name="bad-book-is-good",
        breaks="A crossed, one-sided or old book is good enough to price an order by.",
        changes=(_at(_CORE + "pricing:BookTop.checked", broken_orders.believe_any_book),),
        faults=_faults("bad_book"),
        caught_by="I18",
    ),
    Mutant(
        name="cancel-error-is-cancelled",
        breaks="A cancel that was refused, or whose reply was lost, has cancelled.",
        changes=(
            _at(_CONNECTOR + "canceller:Canceller._refused", broken_orders.read_a_cancel_error_as_cancelled),
            _at(_CONNECTOR + "canceller:Canceller._unknown", broken_orders.read_a_cancel_error_as_cancelled),
        ),
        faults=_faults("reply_lost", "failed_before", "connect_failed"),
        caught_by="I8",
    ),
    Mutant(
        name="cancel-unsent",
        breaks="A cancel is written down, and not sent.",
        changes=(_at(_CONNECTOR + "canceller:Canceller._try_once", broken_orders.write_a_cancel_and_send_none),),
        faults=_faults(),
        caught_by="I5",
    ),
    Mutant(
        name="secret-is-kept",
        breaks="The signed request is kept with the words of what went wrong with it.",
        changes=(_at(_CONNECTOR + "submitter:drive", broken_orders.keep_the_signed_request),),
        faults=_faults("reply_lost"),
        caught_by="I14",
    ),
    Mutant(
        name="secret-is-logged",
        breaks="The signed request is logged.",
        changes=(_at(_CONNECTOR + "submitter:drive", broken_orders.log_the_signed_request),),
        faults=_faults(),
        caught_by="I14",
    ),
)
CHAIN = (
    Mutant(
        name="code-0-is-open",
        breaks="A node's code 0 is read as an order that rests.",
        changes=(_at("latentspeed_dydx_v4.connector:DydxV4Perpetual.place_flow", broken_orders.call_code_0_open),),
        faults=_faults("mempool_dropped", "blocks_without_us"),
        caught_by="I4",
        venues=DYDX,
    ),
    Mutant(
        name="expired-too-early",
        breaks="A short-term order is called over before chain and indexer are past its last block.",
        changes=(
            _at("latentspeed_dydx_v4.order_reads:DydxV4OrderReads._height_past", broken_orders.call_it_over_at_once),
        ),
        faults=_faults("request_late", "reply_lost"),
        caught_by="I8",
        venues=DYDX,
    ),
    Mutant(
        name="client-ids-again",
        breaks="Client ids are counted from one by every run, and nobody notices that an order has the id.",
        changes=(
            _at("latentspeed_dydx_v4.encode:client_numbers", broken_orders.count_client_ids_from_one),
            _at(_JOURNAL + "Journal._begin", broken_journal.forget_exchange_ids),
        ),
        faults=_faults(),
        caught_by="I4",
        venues=DYDX,
    ),
    Mutant(
        name="cancel-too-short",
        breaks="A cancel holds until a block before its order's last one, so that the order rests on.",
        changes=(_at("latentspeed_dydx_v4.encode:cancel_order", broken_orders.cancel_until_too_early),),
        faults=_faults(),
        caught_by="I13",
        venues=DYDX,
    ),
)
JOURNAL = (
    Mutant(
        name="sync-skipped",
        breaks="The journal does not wait for the disk.",
        changes=(_at(_JOURNAL + "connect", broken_journal.skip_the_sync),),
        faults=_faults(),
        caught_by="I9",
    ),
    Mutant(
        name="intent-after-send",
        breaks="The intent is written in the background, while the order leaves.",
        changes=(_at(_JOURNAL + "Journal.begin", broken_journal.write_intents_later),),
        faults=_faults(),
        caught_by="I9",
    ),
    Mutant(
        name="cancel-unwritten",
        breaks="Once a cancel is in the journal, cancels that bear no nonce leave without being written down.",
        changes=(_at(_JOURNAL + "Journal.begin_cancel", broken_journal.write_first_cancels_only),),
        faults=_faults(),
        caught_by="I9",
        venues=DYDX,
    ),
    Mutant(
        name="id-check-outside",
        breaks="Whether an id is free is looked up before the transaction that takes it, so two runs both send.",
        changes=(
            _at(_JOURNAL + "Journal._begin", broken_journal.check_ids_outside_the_transaction),
            _at(_CONNECTOR + "placer:Placer._replay_from_journal", broken_journal.look_up_no_ids),
        ),
        faults=_faults(),
        caught_by="I1",
        rare_on=HYPERLIQUID,
    ),
    Mutant(
        name="nonce-again",
        breaks="Each run counts its nonces alone, from the beginning of the second.",
        changes=(_at(_JOURNAL + "Journal._next_nonce", broken_journal.count_nonces_alone),),
        faults=_faults("clock_step"),
        caught_by="I11",
    ),
    Mutant(
        name="end-remembered",
        breaks="A run goes on from where it left the journal, whatever others have written since.",
        changes=(_at(_JOURNAL + "Journal._find_end", broken_journal.remember_the_end),),
        faults=_faults(),
        caught_by="I10",
    ),
    Mutant(
        name="terminal-reopens",
        breaks="A cancelled order of which a fill becomes known is alive again.",
        changes=(_at(_CORE + "in_flight_order:state_of", broken_journal.let_a_fill_reopen),),
        faults=_faults("frame_late"),
        caught_by="I6",
        venues=DYDX,
    ),
    Mutant(
        name="ioc-remainder-lost",
        breaks="An immediate order that was executed in part is FILLED.",
        changes=(_at(_CORE + "in_flight_order:state_of", broken_journal.call_an_ended_ioc_filled),),
        faults=_faults(),
        caught_by="I4",
        venues=HYPERLIQUID,
        rare_on=HYPERLIQUID,
    ),
    Mutant(
        name="no-evidence",
        breaks="FAILED is written down without what proves it.",
        changes=(_at(_CORE + "order_state:_facts_in_report", broken_journal.drop_the_evidence),),
        faults=_faults(),
        caught_by="I7",
    ),
    Mutant(
        name="fill-counted-twice",
        breaks="A fill that is told twice is counted twice.",
        changes=(_at(_CORE + "order_state:_join_fills", broken_journal.count_a_fill_twice),),
        faults=_faults(),
        caught_by="I8",
    ),
    Mutant(
        name="fills-by-trade",
        breaks="A fill is known by the id of its trade alone.",
        changes=(_at("latentspeed_hyperliquid.decode_orders:trade_update", broken_journal.know_a_fill_by_its_trade),),
        faults=_faults(),
        caught_by="I2",
        venues=HYPERLIQUID,
    ),
    Mutant(
        name="fills-by-time",
        breaks="Of one order and one moment there can be one fill only.",
        changes=(_at(_CORE + "order_state:_join_fills", broken_journal.tell_fills_by_their_time),),
        faults=_faults(),
        caught_by="I2",
    ),
    Mutant(
        name="fills-by-price",
        breaks="A fill of the same price and size as a known one is taken for that one.",
        changes=(_at(_CORE + "order_state:_join_fills", broken_journal.tell_fills_by_price_and_size),),
        faults=_faults(),
        caught_by="I2",
        rare_on=HYPERLIQUID + DYDX,
    ),
)
STREAMS = (
    Mutant(
        name="early-report-dropped",
        breaks="What a stream tells of an order before its reply has come is dropped.",
        changes=(_at(_CONNECTOR + "user_stream_tracker:UserStreamTracker._learn", broken_streams.drop_early_reports),),
        faults=_faults("reply_late"),
        caught_by="I3",
    ),
    Mutant(
        name="fill-told-twice",
        breaks="A fill that the venue tells twice is passed on twice.",
        changes=(
            _at(_CONNECTOR + "user_stream_tracker:UserStreamTracker._is_first", broken_streams.pass_on_everything),
        ),
        faults=_faults("frame_twice"),
        caught_by="I3",
    ),
    Mutant(
        name="resubscribe-missed",
        breaks="After a reconnect the private channels are not asked for again.",
        changes=(_at("latentspeed_cli.transport.line:Line._connection", broken_streams.subscribe_once),),
        faults=_faults("socket_cut"),
        caught_by="I3",
    ),
    Mutant(
        name="backfill-skipped",
        breaks="After a reconnect nothing is fetched that was missed.",
        changes=(_at(_CONNECTOR + "user_stream_tracker:_BACKFILLED_AFTER", broken_streams.skip_the_backfill),),
        faults=_faults("socket_cut", "socket_refused"),
        caught_by="I3",
        venues=DYDX,
    ),
    Mutant(
        name="silence-believed",
        breaks="A socket on which nothing is heard any more is never given up.",
        changes=(
            _at("latentspeed_hyperliquid.streams:FrameSource.dead_after_s", broken_streams.believe_in_silence),
            _at("latentspeed_dydx_v4.streams:FrameSource.dead_after_s", broken_streams.believe_in_silence),
        ),
        faults=_faults("socket_half_open"),
        caught_by="I3",
    ),
    Mutant(
        name="gap-ignored",
        breaks="A number that is missing between two messages is no gap.",
        changes=(_at("latentspeed_dydx_v4.streams:MessageCount.hear", broken_streams.ignore_missing_numbers),),
        faults=_faults("frame_lost"),
        caught_by="I3",
        venues=DYDX,
    ),
    Mutant(
        name="greeting-is-the-beginning",
        breaks="A new connection is known by its greeting alone, which may come late, or not at all.",
        changes=(_at("latentspeed_dydx_v4.streams:FrameSource._begin", broken_streams.begin_with_the_greeting),),
        faults=_faults("socket_cut", "frame_late", "frame_lost"),
        caught_by="I3",
        venues=DYDX,
        rare_on=DYDX,
    ),
    Mutant(
        name="looks-put-off",
        breaks="A backfill puts off the looks at what an earlier one read, and they begin at the latest news.",
        changes=(
            _at(_CONNECTOR + "user_stream_tracker:UserStreamTracker._look_from_ns", broken_streams.look_at_the_latest),
        ),
        faults=_faults("fills_lag", "frame_late", "frame_lost", "socket_refused"),
        caught_by="I3",
        venues=DYDX,
        rare_on=DYDX,
    ),
    Mutant(
        name="ended-orders-unread",
        breaks="After a reconnect open orders and fills are read, and not what came and ended meanwhile.",
        changes=(_at(_CONNECTOR + "reader:Reader.ended_orders", broken_streams.read_no_ended_orders),),
        faults=_faults("socket_cut", "socket_refused", "venue_restart"),
        caught_by="I3",
        rare_on=DYDX,
    ),
    Mutant(
        name="journaled-is-told",
        breaks="What the journal knows already is taken for told, though another command wrote it down.",
        changes=(_at(_CONNECTOR + "user_stream_tracker:UserStreamTracker._untold", broken_streams.forget_the_untold),),
        faults=_faults("socket_cut", "socket_refused", "venue_restart"),
        caught_by="I3",
    ),
    Mutant(
        name="last-word-believed",
        breaks="Nobody asks for an order that the venue says is over, in words that leave open how it ended.",
        changes=(_at(_CONNECTOR + "user_stream_tracker:UserStreamTracker._doubt", broken_streams.doubt_nothing),),
        faults=_faults(),
        caught_by="I3",
        venues=HYPERLIQUID,
        rare_on=HYPERLIQUID,
    ),
    Mutant(
        name="task-left-behind",
        breaks="Ending a stream does not end every task that it began.",
        changes=(_at("latentspeed_cli.transport.line:Line.run", broken_streams.leave_a_task_behind),),
        faults=_faults(),
        caught_by="I15",
    ),
)
MUTANTS = (*PLACING, *CHAIN, *JOURNAL, *STREAMS)
