/** Text to speech (voice.tts.v1.TtsService): one stream, turn after turn. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";

import type { Connection } from "./connection.js";
import { unavailable } from "./errors.js";
import {
  StreamingSynthesizeRequestSchema,
  TtsService,
  type StreamingSynthesizeResponse,
  type SynthesisConfigSchema,
} from "./gen/voice/tts/v1/tts_pb.js";
import type { EngineInfo } from "./gen/voice/type/v1/engine_pb.js";
import { linear16, Stream, type Method } from "./stream.js";
import { Turns } from "./turns.js";

const METHOD: Method<typeof StreamingSynthesizeRequestSchema, StreamingSynthesizeResponse> = {
  of: (transport) => createClient(TtsService, transport).streamingSynthesize,
  request: StreamingSynthesizeRequestSchema,
};

/** A voice that speaks one text a turn. */
export class Speech extends Turns<typeof StreamingSynthesizeRequestSchema, StreamingSynthesizeResponse> {
  /** Open a stream that gives 16-bit samples. Throws TongDaiError. */
  static async open(
    connection: Connection,
    sampleRateHertz: number,
    config: MessageInitShape<typeof SynthesisConfigSchema> = {},
  ): Promise<Speech> {
    const value = { ...config, audioFormat: linear16(sampleRateHertz) };
    const reopen = () => Stream.open(connection, METHOD, { request: { case: "config", value } });
    return new Speech(await reopen(), reopen);
  }

  /** Who speaks. */
  get engine(): EngineInfo {
    if (this.stream.first.response.case === "engine") return this.stream.first.response.value;
    throw unavailable("", "the first response is no engine");
  }

  /**
   * Speak a whole text as one turn: its audio and marks up to its end. Throws TongDaiError; a turn that fails is one with
   * the code FAILED.
   */
  say(text: string) {
    return this.turn((turnId) => [
      { request: { case: "text", value: { turnId, text } } },
      { request: { case: "textEnd", value: { turnId } } },
    ]);
  }
}
