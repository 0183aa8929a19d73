/** Text to speech (voice.tts.v1.TtsService): one stream, turn after turn. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";

import { linear16 } from "./call.js";
import type { Connection, Stream } from "./connection.js";
import { ServerError, unavailable } from "./errors.js";
import {
  StreamingSynthesizeRequestSchema,
  SynthesisConfigSchema,
  TtsService,
  type StreamingSynthesizeRequest,
  type StreamingSynthesizeResponse,
} from "./gen/voice/tts/v1/tts_pb.js";
import type { EngineInfo } from "./gen/voice/type/v1/engine_pb.js";
import { TurnEnd_Outcome, type TurnEnd } from "./gen/voice/type/v1/turn_pb.js";

/** A voice. Turn ids are counted here; what still comes of a turn that was cancelled is dropped. */
export class Speech {
  readonly engine: EngineInfo;
  /** True once the server asked to open the next turn elsewhere (going_away). */
  isServerLeaving = false;
  private turnId = 0n;
  private fencedThrough = 0n;

  private constructor(private readonly stream: Stream<StreamingSynthesizeRequest, StreamingSynthesizeResponse>) {
    if (stream.first.response.case !== "engine") throw unavailable("ENDED_EARLY", "the first response is no engine");
    this.engine = stream.first.response.value;
  }

  /** Open a stream that gives 16-bit samples. Throws TongDaiError. */
  static async open(
    connection: Connection,
    sampleRateHertz: number,
    config: MessageInitShape<typeof SynthesisConfigSchema> = {},
  ): Promise<Speech> {
    const value = create(SynthesisConfigSchema, { ...config, audioFormat: linear16(sampleRateHertz) });
    const request = create(StreamingSynthesizeRequestSchema, { request: { case: "config", value } });
    const method = (on: Connection["transports"][number]) => createClient(TtsService, on).streamingSynthesize;
    return new Speech(await connection.open(method, request));
  }

  /**
   * Speak a whole text as one turn: its audio and marks up to its end. Throws TongDaiError; a turn that fails is one with
   * the code FAILED.
   */
  async *say(text: string): AsyncGenerator<StreamingSynthesizeResponse["response"]> {
    const turnId = ++this.turnId;
    await this.send({ case: "text", value: { turnId, text } });
    await this.send({ case: "textEnd", value: { turnId } });
    for (let response; (response = await this.stream.next());) {
      const kind = response.response;
      if (kind.case === "goingAway") this.isServerLeaving = true;
      if ((kind.case === "audio" || kind.case === "spokenText") && kind.value.turnId > this.fencedThrough) yield kind;
      if (kind.case === "turnEnd" && kind.value.turnId === turnId) {
        yield kind;
        throwFailed(kind.value);
        return;
      }
    }
    throw unavailable("ENDED_EARLY", "the stream ended in the middle of a turn");
  }

  /** Stop speaking; the turn still gets its end. */
  async cancelTurn(): Promise<void> {
    this.fencedThrough = this.turnId;
    await this.send({ case: "cancellation", value: { turnId: this.turnId } });
  }

  /** End the stream in good order. Throws TongDaiError. */
  async close(): Promise<void> {
    await this.stream.finish();
  }

  private async send(request: MessageInitShape<typeof StreamingSynthesizeRequestSchema>["request"]): Promise<void> {
    await this.stream.send(create(StreamingSynthesizeRequestSchema, { request }));
  }
}

/** Throws ServerError where a turn failed. */
export function throwFailed(end: TurnEnd): void {
  if (end.outcome !== TurnEnd_Outcome.FAILED) return;
  const { reason, message } = end;
  throw new ServerError({ code: "FAILED", reason, message, retryDelayS: end.retryDelayMs / 1000 });
}
