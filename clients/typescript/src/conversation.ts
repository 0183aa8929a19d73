/** A conversation with the agent (voice.nlu.v1.NluService), turn by turn. */

import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";

import type { Connection } from "./connection.js";
import { unavailable } from "./errors.js";
import {
  ConversationConfigSchema,
  HistoryTurnSchema,
  NluService,
  StreamingConverseRequestSchema,
  type ConversationConfig,
  type ConversationEngine,
  type StreamingConverseResponse,
  type UserTurnSchema,
} from "./gen/voice/nlu/v1/nlu_pb.js";
import { TurnEnd_Outcome, type TurnEnd } from "./gen/voice/type/v1/turn_pb.js";
import { Stream, type Method } from "./stream.js";
import { Turns } from "./turns.js";

const METHOD: Method<typeof StreamingConverseRequestSchema, StreamingConverseResponse> = {
  of: (transport) => createClient(NluService, transport).streamingConverse,
  request: StreamingConverseRequestSchema,
};
/** History and state handed to a fresh stream; servers take 16 KiB, the oldest turns go first. */
const MAX_HISTORY_BYTES = 12 * 1024;

/** A conversation. It reports replies as heard, and goes on with history and state where the server asks for it. */
export class Conversation extends Turns<typeof StreamingConverseRequestSchema, StreamingConverseResponse> {
  private constructor(
    stream: Stream<typeof StreamingConverseRequestSchema, StreamingConverseResponse>,
    reopen: () => Promise<Stream<typeof StreamingConverseRequestSchema, StreamingConverseResponse>>,
    private readonly config: ConversationConfig,
  ) {
    super(stream, reopen);
  }

  /** Open a conversation. Throws TongDaiError. */
  static async open(
    connection: Connection,
    config: MessageInitShape<typeof ConversationConfigSchema> = {},
  ): Promise<Conversation> {
    const value = create(ConversationConfigSchema, config);
    const reopen = () => Stream.open(connection, METHOD, { request: { case: "config", value } });
    return new Conversation(await reopen(), reopen, value);
  }

  /** Who answers (`engine`), and who the agent is (`agent`). */
  get who(): ConversationEngine {
    if (this.stream.first.response.case === "engine") return this.stream.first.response.value;
    throw unavailable("", "the first response is no engine");
  }

  /** The agent's greeting, as `say` gives a reply. */
  greet() {
    return this.converse({ case: "open", value: {} }, "");
  }

  /**
   * Say something: the clauses, tools and acts of the reply, up to its end. Throws TongDaiError; a turn that fails is one
   * with the code FAILED.
   */
  say(text: string) {
    return this.converse({ case: "text", value: text }, text);
  }

  private async *converse(input: MessageInitShape<typeof UserTurnSchema>["input"], text: string) {
    let reply = "";
    let id = 0n;
    let end: TurnEnd | undefined;
    const turn = (turnId: bigint) => {
      id = turnId;
      return [{ request: { case: "userTurn" as const, value: { turnId, input } } }];
    };
    try {
      for await (const kind of this.turn(turn)) {
        if (kind.case === "replyText") reply += kind.value.text;
        if (kind.case === "turnEnd") {
          end = kind.value;
          await this.takeEnd(id, text, reply, end);
        }
        yield kind;
      }
    } finally {
      if (!end && id > 0n) void this.takeEnd(id, text, reply); // it was left, or its stream broke
    }
  }

  private async takeEnd(turnId: bigint, userText: string, heardText: string, end?: TurnEnd): Promise<void> {
    if (end && end.state.length > 0) this.config.state = end.state;
    // Of a failed turn nothing was heard, and what was said may be what cannot be taken.
    if (end?.outcome === TurnEnd_Outcome.FAILED && heardText === "") return;
    const { history } = this.config;
    history.push(create(HistoryTurnSchema, { turnId, userText, heardText }));
    while (history.length > 0 && toBinary(ConversationConfigSchema, this.config).length > MAX_HISTORY_BYTES)
      history.shift();
    const heardOffset = BigInt([...heardText].length); // code points, not UTF-16 units
    await this.stream.send({
      request: { case: "playoutReport", value: { turnId, heardOffset, isFinal: true } },
    });
  }
}
