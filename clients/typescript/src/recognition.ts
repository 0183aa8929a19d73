/** Speech to text (voice.stt.v1.SttService): sound in, what was said out. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";

import { linear16, paced } from "./call.js";
import type { Connection, Stream } from "./connection.js";
import { unavailable } from "./errors.js";
import {
  RecognitionConfigSchema,
  StreamingRecognizeRequestSchema,
  SttService,
  type StreamingRecognizeRequest,
  type StreamingRecognizeResponse,
} from "./gen/voice/stt/v1/stt_pb.js";
import type { EngineInfo } from "./gen/voice/type/v1/engine_pb.js";

/** An ear. Samples are counted here. */
export class Recognition {
  readonly engine: EngineInfo;
  /** True once the server asked to open the next utterance elsewhere (going_away). */
  isServerLeaving = false;

  private constructor(
    private readonly stream: Stream<StreamingRecognizeRequest, StreamingRecognizeResponse>,
    private readonly sampleRateHertz: number,
    private nextSample: bigint,
  ) {
    if (stream.first.response.case !== "engine") throw unavailable("ENDED_EARLY", "the first response is no engine");
    this.engine = stream.first.response.value;
  }

  /** Open a stream that takes 16-bit samples. Throws TongDaiError. */
  static async open(
    connection: Connection,
    sampleRateHertz: number,
    config: MessageInitShape<typeof RecognitionConfigSchema> = {},
  ): Promise<Recognition> {
    const value = create(RecognitionConfigSchema, { ...config, audioFormat: linear16(sampleRateHertz) });
    const request = create(StreamingRecognizeRequestSchema, { request: { case: "config", value } });
    const method = (on: Connection["transports"][number]) => createClient(SttService, on).streamingRecognize;
    return new Recognition(await connection.open(method, request), sampleRateHertz, value.startSample);
  }

  /** Send 16-bit little-endian samples in frames of 20 ms, in real time unless `isPaced` is false. */
  async hear(samples: Uint8Array, isPaced = true): Promise<void> {
    for await (const content of paced(samples, this.sampleRateHertz, isPaced)) {
      const value = { startSample: this.nextSample, content };
      this.nextSample += BigInt(content.length / 2);
      await this.stream.send(create(StreamingRecognizeRequestSchema, { request: { case: "audio", value } }));
    }
  }

  /** The turn is over: settle everything sent so far. */
  async endUtterance(): Promise<void> {
    const value = { endSample: this.nextSample };
    await this.stream.send(create(StreamingRecognizeRequestSchema, { request: { case: "utteranceEnd", value } }));
  }

  /** No more sound comes: what is open is settled, then the stream ends. */
  halfClose(): void {
    this.stream.halfClose();
  }

  /** Give the stream up. */
  cancel(): void {
    this.stream.cancel();
  }

  /** Everything that is heard, to the end of the stream; iterate at all times. Throws TongDaiError. */
  async *responses(): AsyncGenerator<StreamingRecognizeResponse["response"]> {
    for (let response; (response = await this.stream.next());) {
      if (response.response.case === "goingAway") this.isServerLeaving = true;
      yield response.response;
    }
  }
}
