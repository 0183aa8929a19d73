"""Which agents the NLU stage knows: asked before a program's call is taken that names one."""

import grpc
from voice.nlu.v1.nlu_pb2 import DescribeEngineRequest
from voice.nlu.v1.nlu_pb2_grpc import NluServiceStub

from services.runtime.errors import RequestError


class UnknownAgent(RequestError):
    """No agent has this name."""

    reason = "UNKNOWN_AGENT"


async def check_agent(nlu: grpc.aio.Channel, agent_id: str, *, tenant_id: str, limit_s: float) -> None:
    """Raise UnknownAgent when the stage does not know the agent, or has it for other tenants. A stage that cannot be
    asked is no reason to refuse: the call then apologises as any call does.
    """
    try:
        described = await NluServiceStub(nlu).DescribeEngine(
            DescribeEngineRequest(tenant_id=tenant_id), timeout=limit_s
        )
    except grpc.aio.AioRpcError:
        return
    known = sorted(agent.agent_id for agent in described.agents)
    if agent_id not in known:
        raise UnknownAgent(
            f"no agent is called {agent_id[:64]!r}; there are {', '.join(known[:20]) or 'none for this tenant'}",
            field="config.agent_id",
        )
