/** A bidirectional stream that is open, and the frames of sound that go out on it. */

import { setTimeout as sleep } from "node:timers/promises";

import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";

import type { Connection } from "./connection.js";
import { errorOf, GivenUpError, unavailable } from "./errors.js";
import { AudioEncoding, AudioFormatSchema, type AudioChunk } from "./gen/voice/type/v1/audio_pb.js";

const FRAME_MS = 20;
/** A timer of Node.js that is longer goes off at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const GIVEN_UP = "the stream was given up";

/** How a stream is opened: the method of a transport, and what its requests are. */
export interface Method<Q extends DescMessage, Response> {
  of: (
    transport: Transport,
  ) => (requests: AsyncIterable<MessageShape<Q>>, options: { signal: AbortSignal }) => AsyncIterable<Response>;
  request: Q;
}

/** A stream. Take its responses at all times: a server bounds what it holds. */
export class Stream<Q extends DescMessage, Response> {
  private constructor(
    /** The first response: who answers. */
    readonly first: Response,
    private readonly outbox: Outbox<Q>,
    private readonly incoming: AsyncIterator<Response>,
    private readonly abort: AbortController,
  ) {}

  /** Send a request with the config on the first replica that serves, and wait for the first response. */
  static open<Q extends DescMessage, Response>(
    connection: Connection,
    { of, request }: Method<Q, Response>,
    config: MessageInitShape<Q>,
  ): Promise<Stream<Q, Response>> {
    return connection.onReplica(async (transport) => {
      const limitS = connection.options.openLimitS || 10;
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(), Math.min(1000 * limitS, MAX_TIMER_MS));
      const outbox = new Outbox(request);
      void outbox.put(config);
      try {
        const incoming = of(transport)(outbox, { signal: abort.signal })[Symbol.asyncIterator]();
        const first = await incoming.next();
        if (first.done) throw unavailable("ENDED_EARLY", "the stream ended before its first response");
        return new Stream(first.value, outbox, incoming, abort);
      } catch (error) {
        outbox.drop();
        throw abort.signal.aborted ? unavailable("OPEN_TIMEOUT", `no response within ${limitS} s`) : errorOf(error);
      } finally {
        clearTimeout(timer);
      }
    });
  }

  /** Send a request; resolves once it is on its way. When the stream is over nothing is sent: `next` says why. */
  async send(request: MessageInitShape<Q>): Promise<void> {
    await this.outbox.put(request);
  }

  /** Say that nothing more comes; the server finishes what it was sent. */
  halfClose(): void {
    this.outbox.close();
  }

  /** Give the stream up, if it is still there. Who waits for its next response meets GivenUpError. */
  cancel(): void {
    this.outbox.drop();
    this.abort.abort();
  }

  /** The next response behind the first; undefined at a good end. Throws TongDaiError. */
  async next(): Promise<Response | undefined> {
    try {
      const result = await this.incoming.next();
      if (!result.done) return result.value;
    } catch (error) {
      this.outbox.drop();
      if (this.abort.signal.aborted) throw new GivenUpError({ code: "CANCELLED", reason: "", message: GIVEN_UP });
      throw errorOf(error);
    }
    this.outbox.drop();
    return undefined;
  }

  /** End the stream in good order. Throws TongDaiError. */
  async close(): Promise<void> {
    this.halfClose();
    while ((await this.next()) !== undefined);
  }
}

/** Requests on their way: a sender waits until its own is taken, so that it goes no faster than the server reads. */
class Outbox<Q extends DescMessage> implements AsyncIterable<MessageShape<Q>> {
  private readonly waiting: { request: MessageShape<Q>; taken: () => void }[] = [];
  private wake: () => void = () => undefined;
  private isClosed = false;

  constructor(private readonly schema: Q) {}

  put(request: MessageInitShape<Q>): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    return new Promise((taken) => {
      this.waiting.push({ request: create(this.schema, request), taken });
      this.wake();
    });
  }

  close(): void {
    this.isClosed = true;
    this.wake();
  }

  /** The responses have no reader any more: whoever waits goes on, also where the transport left its iterator lying. */
  drop(): void {
    for (const { taken } of this.waiting.splice(0)) taken();
    this.close();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<MessageShape<Q>> {
    try {
      while (this.waiting.length > 0 || !this.isClosed) {
        const next = this.waiting.shift();
        next?.taken();
        if (next) yield next.request;
        else await new Promise<void>((wake) => (this.wake = wake));
      }
    } finally {
      this.drop();
    }
  }
}

/** Sound: 16-bit little-endian samples of a file, or of a microphone as they come. */
export type Sound = Uint8Array | AsyncIterable<Uint8Array>;

/** Sound on its way: its samples are counted. */
export class Outgoing {
  constructor(
    private readonly sampleRateHertz: number,
    /** The first sample not sent yet. */
    public nextSample: bigint,
    readonly send: (chunk: Pick<AudioChunk, "startSample" | "content">) => Promise<void>,
  ) {}

  /**
   * Send frames of 20 ms up to the end of the sound: where `isPaced` each when it is due, or when a microphone has it. A
   * last frame that is not full is filled with silence.
   */
  async speak(sound: Sound, isPaced: boolean): Promise<void> {
    const size = 2 * Math.floor(this.sampleRateHertz / 50);
    let due = performance.now();
    for await (const content of frames(sound, size)) {
      const waitMs = due - performance.now();
      if (isPaced && waitMs > 0) await sleep(waitMs);
      due += FRAME_MS;
      await this.send({ startSample: this.nextSample, content });
      this.nextSample += BigInt(size / 2);
    }
  }
}

async function* frames(sound: Sound, size: number): AsyncGenerator<Uint8Array> {
  let frame = new Uint8Array(size);
  let filled = 0;
  for await (const piece of sound instanceof Uint8Array ? [sound] : sound) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + size - filled);
      frame.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < size) break;
      yield frame;
      frame = new Uint8Array(size);
      filled = 0;
    }
  }
  if (filled > 1) yield frame;
}

/** The format of every stream here: 16-bit PCM, little-endian, mono. */
export function linear16(sampleRateHertz: number) {
  return create(AudioFormatSchema, { encoding: AudioEncoding.LINEAR16, sampleRateHertz });
}
