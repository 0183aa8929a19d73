/** A call through the gateway: the program is the caller (voice.call.v1.CallGatewayService). */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";

import type { Connection } from "./connection.js";
import { unavailable } from "./errors.js";
import {
  CallGatewayService,
  ConnectCallRequestSchema,
  type CallConfigSchema,
  type CallInfo,
  type ConnectCallResponse,
} from "./gen/voice/call/v1/call_pb.js";
import type { CallEnd } from "./gen/voice/call/v1/record_pb.js";
import type { AudioChunk } from "./gen/voice/type/v1/audio_pb.js";
import { linear16, Outgoing, Stream, type Method, type Sound } from "./stream.js";

const METHOD: Method<typeof ConnectCallRequestSchema, ConnectCallResponse> = {
  of: (transport) => createClient(CallGatewayService, transport).connectCall,
  request: ConnectCallRequestSchema,
};

/** One call. */
export class Call {
  /** Why the call is over, once it is. */
  end?: CallEnd;
  /**
   * True reports each chunk as played when it comes, so that the gateway need not take for heard what is still on its way.
   * Such a call ends with `hangUp`: after the half-close nothing can be reported.
   */
  reportsPlayed = false;
  private chunks: { at: number; content: Uint8Array }[] = [];

  private constructor(
    /** What carries it: for requests of another kind, the half-close, and to drop the call without a word. */
    readonly stream: Stream<typeof ConnectCallRequestSchema, ConnectCallResponse>,
    private readonly sound: Outgoing,
    /** The call as the gateway knows it. */
    readonly info: CallInfo,
  ) {}

  /** Call the gateway. Throws TongDaiError. */
  static async open(
    connection: Connection,
    sampleRateHertz: number,
    config: MessageInitShape<typeof CallConfigSchema> = {},
  ): Promise<Call> {
    const value = { ...config, audioFormat: linear16(sampleRateHertz) };
    const stream = await Stream.open(connection, METHOD, { request: { case: "config", value } });
    const { response } = stream.first;
    if (response.case !== "call") throw unavailable("", "the first response is no call");
    const sound = new Outgoing(sampleRateHertz, 0n, (value) => stream.send({ request: { case: "audio", value } }));
    return new Call(stream, sound, response.value);
  }

  /** The agent's sound from the call's first sample on, silence included. */
  get heard(): Uint8Array {
    const last = this.chunks.at(-1);
    const sound = new Uint8Array(last ? last.at + last.content.length : 0);
    for (const { at, content } of this.chunks) sound.set(content, at);
    return sound;
  }

  /** Send sound up to its end, in frames of 20 ms, no faster than real time. */
  async speak(sound: Sound): Promise<void> {
    await this.sound.speak(sound, true);
  }

  /** Hang up at once. After `stream.halfClose` the call ends with the reply to what was sent. */
  async hangUp(): Promise<void> {
    await this.stream.send({ request: { case: "hangup", value: {} } });
  }

  /** Everything the gateway says, to the end of the call; iterate at all times. Throws TongDaiError. */
  async *responses(): AsyncGenerator<ConnectCallResponse["response"]> {
    for (let response; (response = await this.stream.next());) {
      const kind = response.response;
      if (kind.case === "audio") await this.play(kind.value);
      if (kind.case === "audioDiscard") this.discard(2 * Number(kind.value.fromSample));
      if (kind.case === "end") this.end = kind.value;
      yield kind;
    }
    if (!this.end) throw unavailable("ENDED_EARLY", "the stream ended before the call did");
  }

  private async play({ startSample, content }: AudioChunk): Promise<void> {
    const at = 2 * Number(startSample);
    this.chunks.push({ at, content });
    const sample = BigInt((at + content.length) / 2);
    if (this.reportsPlayed) await this.stream.send({ request: { case: "played", value: { sample } } });
  }

  private discard(fromByte: number): void {
    this.chunks = this.chunks
      .filter((chunk) => chunk.at < fromByte)
      .map(({ at, content }) => ({ at, content: content.subarray(0, fromByte - at) }));
  }
}
