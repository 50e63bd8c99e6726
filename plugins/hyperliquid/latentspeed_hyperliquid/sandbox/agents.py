"""API wallets: approval, names, expiry, replacement, removal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import texts
from .state import Account, Agent
from .user_actions import ApproveAgent

if TYPE_CHECKING:
    from .world import World

ZERO = "0x" + "0" * 40
DAY_MS = 86_400_000
DEFAULT_LIFE_MS = 90 * DAY_MS
LONGEST_LIFE_MS = 180 * DAY_MS
NAMED = 3
NAMED_PER_SUB = 2
NAME_LENGTH = 16
PENDING_MS = 5_000
_NAME = re.compile(r"^(.*?)(?: valid_until (\d+))?$", re.DOTALL)


def approve(world: World, account: Account, action: ApproveAgent, signer: str) -> str | None:
    """Approve an address under a name, replace the one that had the name, or (zero address) remove it."""
    match = _NAME.match(action.agentName or "")
    name = match.group(1) if match else ""
    until = int(match.group(2)) if match and match.group(2) else world.now_ms + DEFAULT_LIFE_MS
    if len(name) > NAME_LENGTH:
        return texts.AGENT_NAME
    if account.pending_removal_ms > world.now_ms:
        return texts.AGENT_PENDING
    former = account.agents.get(name)
    if action.agentAddress == ZERO:
        if former is not None:
            del account.agents[name]
            world.agents.pop(former.address, None)
            account.pending_removal_ms = world.now_ms + PENDING_MS
            world.touch(account)
        return None
    if until <= world.now_ms:
        return texts.AGENT_EXPIRED
    if action.agentAddress in world.agents or action.agentAddress in world.accounts:
        return texts.AGENT_USED
    limit = NAMED + NAMED_PER_SUB * len(account.subs)
    if name and former is None and sum(1 for known in account.agents if known) >= limit:
        return texts.AGENTS_MANY.format(limit=limit)
    if former is not None:
        world.agents.pop(former.address, None)
        world.former_agents[former.address] = account.address
    agent = Agent(action.agentAddress, name, min(until, world.now_ms + LONGEST_LIFE_MS))
    account.agents[name] = agent
    world.agents[agent.address] = (account.address, agent)
    world.former_agents.pop(agent.address, None)
    world.touch(account)
    return None
