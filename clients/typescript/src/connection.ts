/** Transports to the replicas of one service: the first one that serves is used. */

import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

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
  /** A bearer token; empty sends none. Without TLS it goes to loopback addresses only. */
  token?: string;
  /** Seconds a replica may take for its first response; 10. */
  openLimitS?: number;
  /** How often the replicas are tried, with the wait of RetryInfo in between; 1. */
  rounds?: number;
}

/** The replicas of one service. Close it when done: what is open keeps the program running. */
export class Connection {
  /** One each, for what is called by generated code. */
  readonly transports: Transport[];
  private readonly sessions: Http2SessionManager[];

  /** Throws where a file of the options cannot be read, or the token would leave this machine in plain text. */
  constructor(readonly options: Options) {
    const interceptors = options.token ? [withToken(options.token)] : [];
    const read = (path?: string) => (path ? readFileSync(path) : undefined);
    const nodeOptions = options.tlsCaFile
      ? { ca: read(options.tlsCaFile), cert: read(options.tlsCertificateFile), key: read(options.tlsKeyFile) }
      : undefined;
    const open = options.token && !nodeOptions ? options.targets.find((target) => !isLoopback(target)) : undefined;
    if (open !== undefined) throw new RangeError(`the bearer token would go to ${open} over plain text: use TLS`);
    const addresses = options.targets.map((target) => `${nodeOptions ? "https" : "http"}://${target}`);
    // Servers refuse to be pinged oftener than every 10 s.
    const pings = { pingIntervalMs: 20_000, pingTimeoutMs: 10_000, pingIdleConnection: true };
    this.sessions = addresses.map((address) => new Http2SessionManager(address, pings, nodeOptions));
    this.transports = this.sessions.map((sessionManager) =>
      createGrpcTransport({ baseUrl: sessionManager.authority, interceptors, sessionManager }),
    );
  }

  /** Close the connections; streams that are open break. */
  close(): void {
    for (const session of this.sessions) session.abort();
  }

  /**
   * Try a method of generated code on the replicas in turn until one serves. Those that are full or away are passed over,
   * and tried again as `rounds` and RetryInfo say. Throws TongDaiError.
   */
  async onReplica<Result>(attempt: (transport: Transport) => Promise<Result>): Promise<Result> {
    let refusal: TongDaiError = unavailable("", "no target was given");
    for (let round = 0; round < Math.max(1, this.options.rounds ?? 1); round++) {
      if (round > 0) await sleep(1000 * Math.min(LONGEST_WAIT_S, refusal.retryDelayS || 1));
      for (const transport of this.transports) {
        try {
          return await attempt(transport);
        } catch (error) {
          refusal = errorOf(error);
          if (!refusal.isElsewhereWorthwhile) throw refusal;
        }
      }
    }
    throw refusal;
  }
}

function isLoopback(target: string): boolean {
  const host = target.slice(0, target.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function withToken(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
