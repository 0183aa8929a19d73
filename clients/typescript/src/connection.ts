/** Transports to the replicas of one service, and streams that are opened on the first replica that serves. */

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { errorOf, unavailable, type TongDaiError } from "./errors.js";

/** A server's wish to wait longer is not followed. */
const LONGEST_WAIT_S = 30;

/** How to reach a service. TLS is on where `tlsCaFile` is given; with certificate and key it is mutual. */
export interface Options {
  /** Replicas, "host:port" each, in the order they are tried. */
  targets: string[];
  /** PEM certificates that sign the server's. */
  tlsCaFile?: string;
  tlsCertificateFile?: string;
  tlsKeyFile?: string;
  /** A bearer token; empty sends none. */
  token?: string;
  /** Seconds a replica may take for its first response; 10. */
  openLimitS?: number;
  /** How often the replicas are tried, with the wait of RetryInfo in between; 1. */
  rounds?: number;
}

type Method<Request, Response> = (
  transport: Transport,
) => (requests: AsyncIterable<Request>, options: { signal: AbortSignal }) => AsyncIterable<Response>;

/** A bidirectional stream that is open. Iterate over `responses` at all times: a server bounds what it holds. */
export class Stream<Request, Response> {
  constructor(
    /** The first response: who answers. */
    readonly first: Response,
    private readonly outbox: Outbox<Request>,
    private readonly incoming: AsyncIterator<Response>,
    private readonly abort: AbortController,
  ) {}

  /** Send a request; resolves once it is on its way. When the stream is over nothing is sent: `next` says why. */
  async send(request: Request): Promise<void> {
    await this.outbox.put(request);
  }

  /** Say that nothing more comes; the server finishes what it was sent. */
  halfClose(): void {
    this.outbox.close();
  }

  /** Give the stream up. */
  cancel(): void {
    this.outbox.close();
    this.abort.abort();
  }

  /** The next response behind the first; undefined at a good end. Throws TongDaiError. */
  async next(): Promise<Response | undefined> {
    try {
      const result = await this.incoming.next();
      if (!result.done) return result.value;
    } catch (error) {
      this.outbox.close();
      throw errorOf(error);
    }
    this.outbox.close();
    return undefined;
  }

  /** End the stream in good order. Throws TongDaiError. */
  async finish(): Promise<void> {
    this.halfClose();
    while ((await this.next()) !== undefined);
  }
}

/** The replicas of one service. */
export class Connection {
  readonly transports: Transport[];

  /** Throws where a file of the options cannot be read. */
  constructor(private readonly options: Options) {
    const interceptors = options.token ? [withToken(options.token)] : [];
    const nodeOptions = options.tlsCaFile
      ? {
          ca: readFileSync(options.tlsCaFile),
          cert: options.tlsCertificateFile ? readFileSync(options.tlsCertificateFile) : undefined,
          key: options.tlsKeyFile ? readFileSync(options.tlsKeyFile) : undefined,
        }
      : undefined;
    this.transports = options.targets.map((target) =>
      createGrpcTransport({
        baseUrl: `${options.tlsCaFile ? "https" : "http"}://${target}`,
        interceptors,
        nodeOptions,
        // Servers refuse to be pinged oftener than every 10 s.
        pingIntervalMs: 20_000,
        pingTimeoutMs: 10_000,
        pingIdleConnection: true,
      }),
    );
  }

  /**
   * Open a stream: send `config` and wait for the first response. Replicas that are full or away are passed over, up
   * to `rounds` times. Throws TongDaiError.
   */
  async open<Request, Response>(
    method: Method<Request, Response>,
    config: Request,
  ): Promise<Stream<Request, Response>> {
    let refusal: TongDaiError = unavailable("", "no target was given");
    for (let round = 0; round < Math.max(1, this.options.rounds ?? 1); round++) {
      if (round > 0) await sleep(1000 * Math.min(LONGEST_WAIT_S, refusal.retryDelayS || 1));
      for (const transport of this.transports) {
        try {
          return await this.openOn(method(transport), config);
        } catch (error) {
          refusal = errorOf(error);
          if (!refusal.isElsewhereWorthwhile) throw refusal;
        }
      }
    }
    throw refusal;
  }

  private async openOn<Request, Response>(
    start: ReturnType<Method<Request, Response>>,
    config: Request,
  ): Promise<Stream<Request, Response>> {
    const limitS = this.options.openLimitS ?? 10;
    const abort = new AbortController();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      abort.abort();
    }, 1000 * limitS);
    const outbox = new Outbox<Request>();
    void outbox.put(config);
    try {
      const incoming = start(outbox, { signal: abort.signal })[Symbol.asyncIterator]();
      const first = await incoming.next();
      if (first.done) throw unavailable("ENDED_EARLY", "the stream ended before its first response");
      return new Stream(first.value, outbox, incoming, abort);
    } catch (error) {
      outbox.close();
      throw isLate ? unavailable("OPEN_TIMEOUT", `no response within ${limitS} s`) : errorOf(error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Requests on their way: one waits to be taken, so that a sender goes no faster than the server reads. */
class Outbox<Request> implements AsyncIterable<Request> {
  private readonly waiting: { request: Request; taken: () => void }[] = [];
  private wake: () => void = () => undefined;
  private isClosed = false;

  put(request: Request): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    return new Promise((taken) => {
      this.waiting.push({ request, taken });
      this.wake();
    });
  }

  close(): void {
    this.isClosed = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Request> {
    try {
      for (;;) {
        const next = this.waiting.shift();
        if (next) {
          next.taken();
          yield next.request;
        } else if (this.isClosed) {
          return;
        } else {
          await new Promise<void>((wake) => (this.wake = wake));
        }
      }
    } finally {
      this.isClosed = true;
      for (const { taken } of this.waiting.splice(0)) taken();
    }
  }
}

function withToken(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
