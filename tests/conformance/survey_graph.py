"""A LangGraph graph of one's own as an agent (docs/AGENTS.md): it counts answers and keeps complaints.

`file` has a side effect, so the graph is compiled to stop before it: a draft goes no further before its commit.
"""

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

from services.nlu.agent.graph.running import CallState

complaints: list[str] = []


async def ask(state: CallState) -> CallState:
    """Thank, count, and remember the count."""
    n_answers = state.get("memory", {}).get("n_answers", 0) + 1
    return {"say": "Thank you, I see.", "memory": {"n_answers": n_answers}}


async def file(state: CallState) -> CallState:
    """Keep a complaint: a side effect."""
    complaints.append(state["said"])
    return {"say": "I am sorry about that."}


async def leave(state: CallState) -> CallState:
    """End the call."""
    return {"say": "That was everything. Goodbye!", "act": {"name": "hang_up"}}


async def spin(state: CallState) -> CallState:
    """Go round in a circle."""
    return {}


async def broken(state: CallState) -> CallState:
    """Raise."""
    raise RuntimeError("this node is broken")


def chosen(state: CallState) -> str:
    """The node that comes behind `ask`."""
    words = {"complain": "file", "enough": "leave", "circle": "spin", "broken": "broken"}
    return next((node for word, node in words.items() if word in state["said"].lower()), END)


built = StateGraph(CallState)
for node in (ask, file, leave, spin, broken):
    built.add_node(node.__name__, node)
built.add_edge(START, "ask")
built.add_conditional_edges("ask", chosen)
built.add_edge("spin", "spin")
graph = built.compile(checkpointer=InMemorySaver(), interrupt_before=["file", "leave"])
