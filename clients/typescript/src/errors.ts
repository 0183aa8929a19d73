/** Typed errors: the status of a stream with its google.rpc details, or how a turn failed. */

import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";

interface Failure {
  /** The name of the gRPC code, or FAILED of a turn. */
  code: string;
  /** UPPER_SNAKE_CASE; empty where the server gave none. */
  reason: string;
  message: string;
  /** The path of the field at fault, as in "config.voice". */
  field?: string;
  /** Seconds to wait before another try; 0: not said. */
  retryDelayS?: number;
}

/** A stream or a turn that failed. The subclass says what the caller can do. */
export class TongDaiError extends Error {
  readonly code: string;
  readonly reason: string;
  readonly field: string;
  readonly retryDelayS: number;

  constructor(failure: Failure) {
    super(failure.message);
    this.name = new.target.name;
    this.code = failure.code;
    this.reason = failure.reason;
    this.field = failure.field ?? "";
    this.retryDelayS = failure.retryDelayS ?? 0;
  }

  /** Code and reason: the same in every language. */
  get summary(): string {
    return `${this.code} ${this.reason}`.trim();
  }

  /** Whether another replica may serve. */
  get isElsewhereWorthwhile(): boolean {
    return this instanceof CapacityError || this instanceof UnavailableError;
  }
}

/** INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED without RetryInfo: mend the request; no retry helps. */
export class BadRequestError extends TongDaiError {}
/** UNAUTHENTICATED, PERMISSION_DENIED: another token, tenant or scope is needed. */
export class TokenError extends TongDaiError {}
/** RESOURCE_EXHAUSTED with RetryInfo: full. Another replica, or a wait of `retryDelayS`, may help. */
export class CapacityError extends TongDaiError {}
/** UNAVAILABLE: loading, draining, gone, or the connection broke. Another replica may serve. */
export class UnavailableError extends TongDaiError {}
/** CANCELLED, DEADLINE_EXCEEDED: this client gave the stream up, or has waited as long as it wanted to. */
export class GivenUpError extends TongDaiError {}
/** Everything else: the server failed. The turn may be tried once more on a fresh stream. */
export class ServerError extends TongDaiError {}

/** The typed error of whatever a stream threw. */
export function errorOf(thrown: unknown): TongDaiError {
  if (thrown instanceof TongDaiError) return thrown;
  const error = ConnectError.from(thrown);
  const failure: Failure = { code: nameOf(error.code), reason: "", message: error.rawMessage };
  for (const detail of error.details) {
    if (!("type" in detail)) continue;
    if (detail.type === "google.rpc.ErrorInfo") failure.reason = textOf(detail.value, 1);
    if (detail.type === "google.rpc.BadRequest") failure.field = textOf(bytesOf(detail.value, 1), 1);
    if (detail.type === "google.rpc.RetryInfo") failure.retryDelayS = secondsOf(bytesOf(detail.value, 1));
  }
  // A status that no trailer brought is the transport's own: the connection broke.
  if (!error.metadata.has("grpc-status") && failure.reason === "" && error.code !== Code.DeadlineExceeded) {
    return new UnavailableError({ ...failure, code: "UNAVAILABLE" });
  }
  switch (error.code) {
    case Code.InvalidArgument:
    case Code.NotFound:
      return new BadRequestError(failure);
    case Code.ResourceExhausted:
      return failure.retryDelayS ? new CapacityError(failure) : new BadRequestError(failure);
    case Code.Unauthenticated:
    case Code.PermissionDenied:
      return new TokenError(failure);
    case Code.Unavailable:
      return new UnavailableError(failure);
    case Code.DeadlineExceeded:
      return new GivenUpError(failure);
    default:
      return new ServerError(failure);
  }
}

export function unavailable(reason: string, message: string): UnavailableError {
  return new UnavailableError({ code: "UNAVAILABLE", reason, message });
}

function nameOf(code: Code): string {
  if (code === Code.Canceled) return "CANCELLED";
  return Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

// google/rpc/error_details.proto: ErrorInfo.reason = 1; BadRequest.field_violations = 1 with field = 1;
// RetryInfo.retry_delay = 1, a google.protobuf.Duration with seconds = 1 and nanos = 2.

function bytesOf(message: Uint8Array, wanted: number): Uint8Array {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === wanted && wire === 2) return reader.bytes();
    reader.skip(wire);
  }
  return new Uint8Array();
}

function textOf(message: Uint8Array, wanted: number): string {
  return new TextDecoder().decode(bytesOf(message, wanted));
}

function secondsOf(duration: Uint8Array): number {
  const reader = new BinaryReader(duration);
  let seconds = 0;
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1 && wire === 0) seconds += Number(reader.int64());
    else if (field === 2 && wire === 0) seconds += reader.int32() / 1e9;
    else reader.skip(wire);
  }
  return seconds;
}
