/** A conversation with the agent (voice.nlu.v1.NluService), turn by turn. */

import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";

import type { Connection, Stream } from "./connection.js";
import { unavailable } from "./errors.js";
import type { AgentProfile } from "./gen/voice/nlu/v1/agent_pb.js";
import {
  ConversationConfigSchema,
  HistoryTurnSchema,
  NluService,
  StreamingConverseRequestSchema,
  UserTurnSchema,
  type ConversationConfig,
  type StreamingConverseRequest,
  type StreamingConverseResponse,
} from "./gen/voice/nlu/v1/nlu_pb.js";
import type { EngineInfo } from "./gen/voice/type/v1/engine_pb.js";
import { TurnEnd_Outcome, type TurnEnd } from "./gen/voice/type/v1/turn_pb.js";
import { throwFailed } from "./speech.js";

/** History and state handed to a fresh stream; servers take 16 KiB, the oldest turns go first. */
const MAX_HISTORY_BYTES = 12 * 1024;

type Input = MessageInitShape<typeof UserTurnSchema>["input"];
type Reply = AsyncGenerator<StreamingConverseResponse["response"]>;

/**
 * One conversation. It counts turns, reports replies as heard, keeps history and state, and goes on elsewhere where the
 * server asks for it or a turn failed in a way that a fresh stream may mend.
 */
export class Conversation {
  readonly engine?: EngineInfo;
  readonly agent?: AgentProfile;
  private turnId = 0n;
  private fencedThrough = 0n;
  private isServerLeaving = false;

  private constructor(
    private readonly connection: Connection,
    private readonly config: ConversationConfig,
    private stream: Stream<StreamingConverseRequest, StreamingConverseResponse>,
  ) {
    if (stream.first.response.case !== "engine") throw unavailable("ENDED_EARLY", "the first response is no engine");
    this.engine = stream.first.response.value.engine;
    this.agent = stream.first.response.value.agent;
  }

  /** Open a conversation. Throws TongDaiError. */
  static async open(
    connection: Connection,
    config: MessageInitShape<typeof ConversationConfigSchema> = {},
  ): Promise<Conversation> {
    const whole = create(ConversationConfigSchema, config);
    return new Conversation(connection, whole, await open(connection, whole));
  }

  /** The agent's greeting, as `say` gives a reply. */
  greet(): Reply {
    return this.turn({ case: "open", value: {} }, "");
  }

  /**
   * Say something: the clauses, tools and acts of the reply, up to its end. Throws TongDaiError; a turn that fails is one
   * with the code FAILED.
   */
  say(text: string): Reply {
    return this.turn({ case: "text", value: text }, text);
  }

  /** Stop the reply; the turn still gets its end. */
  async cancelTurn(): Promise<void> {
    this.fencedThrough = this.turnId;
    await this.send({ case: "cancellation", value: { turnId: this.turnId } });
  }

  /** End the stream in good order. Throws TongDaiError. */
  async close(): Promise<void> {
    await this.stream.finish();
  }

  private async *turn(input: Input, text: string): Reply {
    const turnId = ++this.turnId;
    if (this.isServerLeaving) await this.openAfresh();
    for (let mayRetry = true; ; mayRetry = false) {
      await this.send({ case: "userTurn", value: { turnId, input } });
      let reply = "";
      let hasActed = false;
      let end: TurnEnd | undefined;
      for (let response; !end && (response = await this.stream.next());) {
        const kind = response.response;
        if (kind.case === "goingAway") this.isServerLeaving = true;
        if (kind.case === undefined || kind.case === "goingAway" || kind.case === "engine") continue;
        if (kind.case === "turnEnd" && kind.value.turnId !== turnId) continue;
        if (kind.case === "replyText") {
          if (kind.value.turnId <= this.fencedThrough) continue;
          reply += kind.value.text;
        }
        hasActed ||= kind.case === "toolActivity" || kind.case === "callAction";
        if (kind.case === "turnEnd") end = kind.value;
        const hasFailed = end?.outcome === TurnEnd_Outcome.FAILED && end.isRetryable;
        if (hasFailed && mayRetry && reply === "" && !hasActed) break;
        yield kind;
        if (!end) continue;
        throwFailed(end);
        await this.takeEnd(text, reply, end);
        return;
      }
      if (!end) throw unavailable("ENDED_EARLY", "the stream ended in the middle of a turn");
      await this.openAfresh();
    }
  }

  private async takeEnd(userText: string, heardText: string, end: TurnEnd): Promise<void> {
    if (end.state.length > 0) this.config.state = end.state;
    const { history } = this.config;
    history.push(create(HistoryTurnSchema, { turnId: end.turnId, userText, heardText }));
    const size = () => history.reduce((sum, turn) => sum + toBinary(HistoryTurnSchema, turn).length, 0);
    while (history.length > 0 && size() + this.config.state.length > MAX_HISTORY_BYTES) history.shift();
    const heardOffset = BigInt([...heardText].length); // code points, not UTF-16 units
    await this.send({ case: "playoutReport", value: { turnId: end.turnId, heardOffset, isFinal: true } });
  }

  private async openAfresh(): Promise<void> {
    this.stream.cancel();
    this.isServerLeaving = false;
    this.stream = await open(this.connection, this.config);
  }

  private async send(request: MessageInitShape<typeof StreamingConverseRequestSchema>["request"]): Promise<void> {
    await this.stream.send(create(StreamingConverseRequestSchema, { request }));
  }
}

function open(
  connection: Connection,
  value: ConversationConfig,
): Promise<Stream<StreamingConverseRequest, StreamingConverseResponse>> {
  const request = create(StreamingConverseRequestSchema, { request: { case: "config", value } });
  return connection.open((on) => createClient(NluService, on).streamingConverse, request);
}
