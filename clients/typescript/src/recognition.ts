/** Speech to text (voice.stt.v1.SttService): sound in, what was said out. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";

import type { Connection } from "./connection.js";
import { unavailable } from "./errors.js";
import {
  StreamingRecognizeRequestSchema,
  SttService,
  type RecognitionConfigSchema,
  type StreamingRecognizeResponse,
} from "./gen/voice/stt/v1/stt_pb.js";
import type { EngineInfo } from "./gen/voice/type/v1/engine_pb.js";
import { linear16, Outgoing, Stream, type Method, type Sound } from "./stream.js";

const METHOD: Method<typeof StreamingRecognizeRequestSchema, StreamingRecognizeResponse> = {
  of: (transport) => createClient(SttService, transport).streamingRecognize,
  request: StreamingRecognizeRequestSchema,
};

/** A recogniser. */
export class Recognition {
  /** True once the server asked to open the next utterance elsewhere (going_away). */
  isServerLeaving = false;

  private constructor(
    /** What carries it: for the half-close, which settles what is open, and to give it up. */
    readonly stream: Stream<typeof StreamingRecognizeRequestSchema, StreamingRecognizeResponse>,
    private readonly sound: Outgoing,
    /** Who listens. */
    readonly engine: EngineInfo,
  ) {}

  /** Open a stream that takes 16-bit samples. Throws TongDaiError. */
  static async open(
    connection: Connection,
    sampleRateHertz: number,
    config: MessageInitShape<typeof RecognitionConfigSchema> = {},
  ): Promise<Recognition> {
    const value = { ...config, audioFormat: linear16(sampleRateHertz) };
    const stream = await Stream.open(connection, METHOD, { request: { case: "config", value } });
    const { response } = stream.first;
    if (response.case !== "engine") throw unavailable("", "the first response is no engine");
    const send: Outgoing["send"] = (value) => stream.send({ request: { case: "audio", value } });
    return new Recognition(stream, new Outgoing(sampleRateHertz, config.startSample ?? 0n, send), response.value);
  }

  /** Send sound up to its end, in frames of 20 ms, no faster than real time unless `isPaced` is false. */
  async hear(sound: Sound, isPaced = true): Promise<void> {
    await this.sound.speak(sound, isPaced);
  }

  /** The turn is over: settle everything that `hear` has sent. */
  async endUtterance(): Promise<void> {
    await this.stream.send({ request: { case: "utteranceEnd", value: { endSample: this.sound.nextSample } } });
  }

  /** Everything that is heard, to the end of the stream; iterate at all times. Throws TongDaiError. */
  async *responses(): AsyncGenerator<StreamingRecognizeResponse["response"]> {
    for (let response; (response = await this.stream.next());) {
      if (response.response.case === "goingAway") this.isServerLeaving = true;
      yield response.response;
    }
  }
}
