/** A call through the gateway: the program is the caller (voice.call.v1.CallGatewayService). */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";

import type { Connection } from "./connection.js";
import { ServerError, unavailable } from "./errors.js";
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

/** Samples of silence that are kept: nine hours at 8 kHz. A server that leaves more has lost its clock. */
const MAX_HOLE = 2 ** 28;

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

  /** The agent's sound from the call's first sample on, silence included: 58 MB an hour at 8 kHz, copied each time. */
  get heard(): Uint8Array {
    const sound = new Uint8Array(this.heardBytes);
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
      if (kind.case === "audioDiscard") this.discard(this.byteOf(kind.value.fromSample));
      if (kind.case === "end") this.end = kind.value;
      yield kind;
    }
    if (!this.end) throw unavailable("ENDED_EARLY", "the stream ended before the call did");
  }

  private get heardBytes(): number {
    const last = this.chunks.at(-1);
    return last ? last.at + last.content.length : 0;
  }

  /** A place on the agent's clock. Throws TongDaiError: there can be none such. */
  private byteOf(sample: bigint): number {
    if (sample >= 0n && sample <= this.heardBytes / 2 + MAX_HOLE) return 2 * Number(sample);
    const message = `the server tells of sample ${sample} of its sound`;
    throw new ServerError({ code: "INTERNAL", reason: "BAD_SAMPLE", message });
  }

  private async play({ startSample, content }: AudioChunk): Promise<void> {
    const at = this.byteOf(startSample);
    if (at < this.heardBytes) this.discard(at); // it takes the place of what stood there
    this.chunks.push({ at, content });
    const sample = BigInt(Math.floor((at + content.length) / 2));
    if (this.reportsPlayed) await this.stream.send({ request: { case: "played", value: { sample } } });
  }

  private discard(fromByte: number): void {
    this.chunks = this.chunks
      .filter((chunk) => chunk.at < fromByte)
      .map(({ at, content }) => ({ at, content: content.subarray(0, fromByte - at) }));
  }
}
