/** One conversation of the echo server: its turns, drafts, fences, and what is sent. */

import { setTimeout as sleep } from "node:timers/promises";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";

import {
  CallAction_When,
  StreamingConverseResponseSchema,
  type StreamingConverseRequest,
  type StreamingConverseResponse,
  type UserTurn,
} from "./gen/voice/nlu/v1/nlu_pb.js";
import { Cancellation_Scope, TurnEnd_Outcome, type Cancellation } from "./gen/voice/type/v1/turn_pb.js";

const SERVICE = "voice.nlu.v1.NluService";
const MAX_TEXT_CHARS = 5000;
const CLAUSE_WORDS = 4;
/** Between two clauses, as if a model wrote them. */
const CLAUSE_MS = 150;
const GOODBYE = /\b(good)?bye\b/iu;
const CONTROL = /(?!\s)\p{Cc}/u;

type Response = MessageInitShape<typeof StreamingConverseResponseSchema>["response"];

/** One turn that has begun and not ended. */
interface Turn {
  id: bigint;
  isDraft: boolean;
  abort: AbortController;
  /** Resolves once the turn is no draft, or is over. */
  committed: Promise<void>;
  commit: () => void;
}

/** Why a turn cannot be answered. */
interface Fault {
  reason: string;
  field: string;
  message: string;
}

export class EchoStream {
  private readonly waiting: (StreamingConverseResponse | ConnectError)[] = [];
  private readonly live = new Map<bigint, Turn>();
  private readonly fenced = new Set<bigint>();
  private fencedThrough = 0n;
  private lastBegun = 0n;
  private isRead = false;
  private wake: () => void = () => undefined;

  constructor(private readonly failsStream: boolean) {}

  respond(response: Response): void {
    this.waiting.push(create(StreamingConverseResponseSchema, { response }));
    this.wake();
  }

  /** What is sent, up to the end of the last turn behind the half-close. */
  async *responses(): AsyncGenerator<StreamingConverseResponse> {
    for (;;) {
      const next = this.waiting.shift();
      if (next instanceof ConnectError) throw next;
      if (next) yield next;
      else if (this.isRead && this.live.size === 0) return;
      else await new Promise<void>((wake) => (this.wake = wake));
    }
  }

  /** The stream is over: nothing more is made. */
  close(): void {
    for (const turn of this.live.values()) turn.abort.abort();
  }

  /** Take requests up to the half-close: committed turns finish, a draft ends CANCELLED. */
  async read(requests: AsyncIterator<StreamingConverseRequest>): Promise<void> {
    try {
      for (let next; !(next = await requests.next()).done;) {
        const { request } = next.value;
        if (request.case === "config")
          throw refusal(Code.InvalidArgument, "SECOND_CONFIG", "config", "config comes once");
        if (request.case === "userTurn") this.onTurn(request.value);
        if (request.case === "commit") this.onCommit(request.value.turnId);
        if (request.case === "cancellation") this.onCancellation(request.value);
      }
      for (const turn of this.live.values()) if (turn.isDraft) turn.abort.abort();
    } catch (error) {
      this.waiting.push(ConnectError.from(error));
    }
    this.isRead = true;
    this.wake();
  }

  private onTurn(turn: UserTurn): void {
    const { turnId: id } = turn;
    if (this.isFenced(id)) return;
    const field = "user_turn.turn_id";
    if (id < 1n) throw refusal(Code.InvalidArgument, "BAD_TURN_ID", field, `${field} is below 1`);
    if (id <= this.lastBegun)
      throw refusal(Code.InvalidArgument, "TURN_ID_NOT_INCREASING", field, `${field} goes back`);
    this.lastBegun = id;
    for (const other of this.live.values()) if (other.isDraft || !turn.isDraft) this.supersede(other);
    let commit: () => void = () => undefined;
    const committed = new Promise<void>((resolve) => (commit = resolve));
    const begun: Turn = { id, isDraft: turn.isDraft, abort: new AbortController(), committed, commit };
    begun.abort.signal.addEventListener("abort", commit);
    if (!turn.isDraft) commit();
    this.live.set(id, begun);
    void this.answer(begun, turn);
  }

  private onCommit(id: bigint): void {
    const turn = this.live.get(id);
    if (!turn?.isDraft || this.isFenced(id)) return;
    for (const other of this.live.values()) if (!other.isDraft) this.supersede(other);
    turn.isDraft = false;
    turn.commit();
  }

  private onCancellation({ turnId, scope }: Cancellation): void {
    if (scope === Cancellation_Scope.ONLY) this.fenced.add(turnId);
    else if (turnId > this.fencedThrough) this.fencedThrough = turnId;
    for (const turn of this.live.values()) if (this.isFenced(turn.id)) turn.abort.abort();
  }

  private supersede(turn: Turn): void {
    this.fenced.add(turn.id);
    turn.abort.abort();
  }

  private isFenced(id: bigint): boolean {
    return id <= this.fencedThrough || this.fenced.has(id);
  }

  private async answer(turn: Turn, asked: UserTurn): Promise<void> {
    const began = process.hrtime.bigint();
    const timing = () => ({ sinceTriggerUs: (process.hrtime.bigint() - began) / 1000n + 1n });
    let outcome = TurnEnd_Outcome.COMPLETED;
    const fault = faultOf(asked);
    if (fault) {
      outcome = TurnEnd_Outcome.FAILED;
      this.fenced.add(turn.id);
      if (this.failsStream) this.waiting.push(refusal(Code.InvalidArgument, fault.reason, fault.field, fault.message));
    } else {
      try {
        await this.say(turn, asked, timing);
      } catch {
        outcome = TurnEnd_Outcome.CANCELLED; // the signal ended a wait
      }
      if (turn.abort.signal.aborted) outcome = TurnEnd_Outcome.CANCELLED;
    }
    this.live.delete(turn.id);
    const { reason = "", message = "" } = fault ?? {};
    this.respond({ case: "turnEnd", value: { turnId: turn.id, outcome, reason, message, timing: timing() } });
  }

  private async say(turn: Turn, asked: UserTurn, timing: () => { sinceTriggerUs: bigint }): Promise<void> {
    const { id: turnId } = turn;
    const { signal } = turn.abort;
    let isFirst = true;
    for (const text of clausesOf(replyTo(asked))) {
      if (!isFirst) await sleep(CLAUSE_MS, undefined, { signal });
      if (signal.aborted) return;
      const value = { turnId, text, languageCode: "en", ...(isFirst ? { timing: timing() } : {}) };
      this.respond({ case: "replyText", value });
      isFirst = false;
    }
    await turn.committed;
    if (signal.aborted || asked.input.case !== "text" || !GOODBYE.test(asked.input.value)) return;
    const when = CallAction_When.AFTER_PLAYOUT;
    const action = { case: "hangUp" as const, value: {} };
    this.respond({ case: "callAction", value: { actionId: `hang-up-${turnId}`, turnId, when, action } });
  }
}

function faultOf({ input }: UserTurn): Fault | undefined {
  const fault = (reason: string, field: string, why: string) => ({
    reason,
    field: `user_turn.${field}`,
    message: `user_turn.${field} ${why}`,
  });
  switch (input.case) {
    case undefined:
      return fault("INPUT_MISSING", "input", "is missing: send text, open, dtmf, silence or action_ended");
    case "text":
      if (input.value.trim() === "") return fault("EMPTY_TEXT", "text", "has no words");
      if ([...input.value].length > MAX_TEXT_CHARS) return fault("TEXT_TOO_LONG", "text", "is longer than the limit");
      return CONTROL.test(input.value) ? fault("CONTROL_CHARACTERS", "text", "has control characters") : undefined;
    case "dtmf":
      return /^[0-9A-D*#]+$/.test(input.value) ? undefined : fault("BAD_DTMF", "dtmf", "has keys no telephone has");
    default:
      return undefined;
  }
}

function replyTo({ input }: UserTurn): string {
  switch (input.case) {
    case "text":
      return GOODBYE.test(input.value) ? "Thank you for calling. Goodbye!" : `You said: ${input.value.trim()}`;
    case "dtmf":
      return `You pressed ${[...input.value].join(" ")}.`;
    case "silence":
      return "Are you still there?";
    case "actionEnded":
      return "That did not work. What else can I do?";
    default:
      return "Hello, this is the echo. Say something.";
  }
}

/** Speakable clauses: up to a mark, or to so many words; joined they are the reply verbatim. */
function clausesOf(reply: string): string[] {
  const clauses: string[] = [];
  let clause = "";
  let words = 0;
  for (const word of reply.match(/\s*\S+\s*/gu) ?? []) {
    clause += word;
    words++;
    if (words >= CLAUSE_WORDS || /[.,;:!?]\s*$/u.test(word)) {
      clauses.push(clause);
      clause = "";
      words = 0;
    }
  }
  return clause ? [...clauses, clause] : clauses;
}

/** A status with the details that protos/README.md, rule 32, asks for (google/rpc/error_details.proto). */
export function refusal(code: Code, reason: string, field: string, message: string): ConnectError {
  const error = new ConnectError(message, code);
  const info = new BinaryWriter().tag(1, 2).string(reason).tag(2, 2).string(SERVICE).finish();
  error.details.push({ type: "google.rpc.ErrorInfo", value: info });
  if (field) {
    const violation = new BinaryWriter().tag(1, 2).string(field).tag(2, 2).string(message).finish();
    const value = new BinaryWriter().tag(1, 2).bytes(violation).finish();
    error.details.push({ type: "google.rpc.BadRequest", value });
  }
  if (code === Code.ResourceExhausted) {
    const second = new BinaryWriter().tag(1, 0).int64(1).finish();
    error.details.push({ type: "google.rpc.RetryInfo", value: new BinaryWriter().tag(1, 2).bytes(second).finish() });
  }
  return error;
}
