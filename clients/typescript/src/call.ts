/** A call through the gateway: the program is the caller (voice.call.v1.CallGatewayService). */

import { setTimeout as sleep } from "node:timers/promises";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";

import type { Connection, Stream } from "./connection.js";
import { errorOf, unavailable } from "./errors.js";
import {
  CallConfigSchema,
  CallGatewayService,
  ConnectCallRequestSchema,
  type CallInfo,
  type ConnectCallRequest,
  type ConnectCallResponse,
  type WatchCallsResponse,
} from "./gen/voice/call/v1/call_pb.js";
import type { CallEnd } from "./gen/voice/call/v1/record_pb.js";
import { AudioEncoding, AudioFormatSchema, type AudioChunk } from "./gen/voice/type/v1/audio_pb.js";

const FRAME_MS = 20;

/** The format of every stream here: 16-bit PCM, little-endian, mono. */
export function linear16(sampleRateHertz: number) {
  return create(AudioFormatSchema, { encoding: AudioEncoding.LINEAR16, sampleRateHertz });
}

/** Frames of 20 ms, each when it is due; the last one may be shorter. */
export async function* paced(samples: Uint8Array, sampleRateHertz: number, isPaced = true): AsyncGenerator<Uint8Array> {
  const size = 2 * Math.floor(sampleRateHertz / 50);
  let due = performance.now();
  for (let at = 0; at < samples.length; at += size) {
    const waitMs = due - performance.now();
    if (isPaced && waitMs > 0) await sleep(waitMs);
    due += FRAME_MS;
    yield samples.subarray(at, at + size);
  }
}

/** One call. Sound goes out paced in frames of 20 ms; the agent's sound is kept as it was played. */
export class Call {
  /** The call as the gateway knows it. */
  readonly info: CallInfo;
  /** Why the call is over, once it is. */
  end?: CallEnd;
  private chunks: { at: number; content: Uint8Array }[] = [];
  private nextSample = 0;

  private constructor(
    private readonly stream: Stream<ConnectCallRequest, ConnectCallResponse>,
    readonly sampleRateHertz: number,
    private readonly reportsPlayed: boolean,
  ) {
    if (stream.first.response.case !== "call") throw unavailable("ENDED_EARLY", "the first response is no call");
    this.info = stream.first.response.value;
  }

  /**
   * Call the gateway. With `reportsPlayed` each chunk is reported as played when it comes, so that the gateway need not
   * take for heard what is still on its way; such a call ends with `hangUp`, for after `halfClose` nothing can be
   * reported. Throws TongDaiError.
   */
  static async open(
    connection: Connection,
    sampleRateHertz: number,
    config: MessageInitShape<typeof CallConfigSchema> = {},
    reportsPlayed = false,
  ): Promise<Call> {
    const value = create(CallConfigSchema, { ...config, audioFormat: linear16(sampleRateHertz) });
    const request = create(ConnectCallRequestSchema, { request: { case: "config", value } });
    const method = (on: Connection["transports"][number]) => createClient(CallGatewayService, on).connectCall;
    return new Call(await connection.open(method, request), sampleRateHertz, reportsPlayed);
  }

  /** The agent's sound from the call's first sample on, silence included. */
  get heard(): Uint8Array {
    const last = this.chunks.at(-1);
    const sound = new Uint8Array(last ? last.at + last.content.length : 0);
    for (const { at, content } of this.chunks) sound.set(content, at);
    return sound;
  }

  /** Send samples in real time; resolves when the last frame, filled with silence, has left. */
  async speak(samples: Uint8Array): Promise<void> {
    for await (const frame of paced(samples, this.sampleRateHertz)) await this.sendFrame(frame);
  }

  /** Send silence in real time until `isOver` says so, or `limitS` has passed. */
  async speakSilence(isOver: () => boolean, limitS: number): Promise<void> {
    const silence = new Uint8Array(2 * Math.floor(limitS * this.sampleRateHertz));
    for await (const frame of paced(silence, this.sampleRateHertz)) {
      if (isOver()) return;
      await this.sendFrame(frame);
    }
  }

  private async sendFrame(samples: Uint8Array): Promise<void> {
    const content = new Uint8Array(2 * Math.floor(this.sampleRateHertz / 50));
    content.set(samples);
    const value = { startSample: BigInt(this.nextSample), content };
    this.nextSample += content.length / 2;
    await this.stream.send(create(ConnectCallRequestSchema, { request: { case: "audio", value } }));
  }

  /** Press a key: 0-9, A-D, * or #. */
  async press(digit: string): Promise<void> {
    await this.stream.send(create(ConnectCallRequestSchema, { request: { case: "dtmf", value: { digit } } }));
  }

  /** Say nothing more and listen: the call ends after the reply to what was sent. */
  halfClose(): void {
    this.stream.halfClose();
  }

  /** Hang up. */
  async hangUp(): Promise<void> {
    await this.stream.send(create(ConnectCallRequestSchema, { request: { case: "hangup", value: {} } }));
  }

  /** Drop the call without a word. */
  cancel(): void {
    this.stream.cancel();
  }

  /** Everything the gateway says, to the end of the call; iterate at all times. Throws TongDaiError. */
  async *responses(): AsyncGenerator<ConnectCallResponse> {
    for (let response; (response = await this.stream.next());) {
      const kind = response.response;
      if (kind.case === "audio") await this.play(kind.value);
      if (kind.case === "audioDiscard") this.discard(2 * Number(kind.value.fromSample));
      if (kind.case === "end") this.end = kind.value;
      yield response;
    }
    if (!this.end) throw unavailable("ENDED_EARLY", "the stream ended before the call did");
  }

  private async play(audio: AudioChunk): Promise<void> {
    const at = 2 * Number(audio.startSample);
    this.chunks.push({ at, content: audio.content });
    if (!this.reportsPlayed) return;
    const value = { sample: BigInt((at + audio.content.length) / 2) };
    await this.stream.send(create(ConnectCallRequestSchema, { request: { case: "played", value } }));
  }

  private discard(fromByte: number): void {
    this.chunks = this.chunks
      .filter((chunk) => chunk.at < fromByte)
      .map(({ at, content }) => ({ at, content: content.subarray(0, fromByte - at) }));
  }
}

/**
 * What happens on one call, or on all without an id, from now on. Before the first event the other replicas are tried.
 * Throws TongDaiError.
 */
export async function* watch(connection: Connection, callId = ""): AsyncGenerator<WatchCallsResponse> {
  for (const transport of connection.transports) {
    let hasBegun = false;
    try {
      for await (const response of createClient(CallGatewayService, transport).watchCalls({ callId })) {
        hasBegun = true;
        yield response;
      }
      return;
    } catch (thrown) {
      const error = errorOf(thrown);
      if (hasBegun || transport === connection.transports.at(-1) || !error.isElsewhereWorthwhile) throw error;
    }
  }
}
