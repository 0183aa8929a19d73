/** `call`: a WAV in, the agent's WAV and a timed transcript out. `watch`: every turn as it ends, one JSON line each. */

import { setTimeout as sleep } from "node:timers/promises";

import { createClient } from "@connectrpc/connect";

import { CallGatewayService } from "../gen/voice/call/v1/call_pb.js";
import {
  CallEnd_Cause,
  Floor,
  TurnRecord_Outcome,
  type CallEvent,
  type TurnRecord,
} from "../gen/voice/call/v1/record_pb.js";
import { Call, errorOf, readWav, TongDaiError, writeWav, type Connection, type Sound, type Wav } from "../index.js";
import { named, UsageError, type Given } from "./flags.js";
import { source } from "./source.js";

/** After that the caller speaks without having been greeted. */
const GREETING_LIMIT_S = 10;
/** Between the beginnings of several calls. */
const STAGGER_MS = 100;
/** The smallest sample of a voice: -40 dBFS. */
const AUDIBLE = 330;

interface Conversed {
  heard: Uint8Array;
  cause: string;
  /** From the caller's last frame to the first audible one of the answer. */
  answerMs?: number;
  /** The last turn's latency, as the gateway has it in the turn's record. */
  latencyMs: number;
}

export async function call(connection: Connection, given: Given): Promise<number> {
  const [input = "", output = ""] = given.operands;
  const count = given.number("calls");
  if (input === "-" && given.is("calls")) throw new UsageError("--calls needs a file");
  if (count > 0)
    return callOften(
      connection,
      named(input, () => readWav(input)),
      given,
      count,
      output,
    );
  const { sound, rate } = await source(given, input);
  const done = await converse(connection, sound, rate, given, true);
  named(output, () => writeWav(output, { sampleRateHertz: rate, samples: done.heard }));
  return done.cause === "FAILURE" ? 1 : 0;
}

async function callOften(
  connection: Connection,
  wav: Wav,
  given: Given,
  count: number,
  output: string,
): Promise<number> {
  const one = async (number: number): Promise<Conversed | TongDaiError> => {
    await sleep(number * STAGGER_MS);
    try {
      return await converse(connection, wav.samples, wav.sampleRateHertz, given, false);
    } catch (error) {
      if (error instanceof TongDaiError) return error;
      throw error;
    }
  };
  const results = await Promise.all(Array.from({ length: count }, (_, number) => one(number)));
  const done = results.filter((result): result is Conversed => !(result instanceof TongDaiError));
  const heard = done[0]?.heard;
  if (heard) named(output, () => writeWav(output, { ...wav, samples: heard }));
  const { user, system } = process.cpuUsage();
  const figures = {
    calls: count,
    failed: count - done.length,
    answer_ms: done.flatMap(({ answerMs }) => answerMs ?? []),
    latency_ms: done.flatMap(({ answerMs, latencyMs }) => (answerMs === undefined ? [] : latencyMs)),
    cpu_s: Math.round((user + system) / 1000) / 1000,
  };
  console.log(JSON.stringify(figures));
  for (const result of results) if (result instanceof TongDaiError) console.error(`call: ${result.summary}`);
  return done.length === count ? 0 : 1;
}

/** One call from its beginning to its end. Throws TongDaiError. */
async function converse(
  connection: Connection,
  sound: Sound,
  rate: number,
  given: Given,
  isPrinted: boolean,
): Promise<Conversed> {
  const call = await Call.open(connection, rate, { ...given.whose, caller: given.text("caller") });
  const began = performance.now();
  const tell = (line: string) => {
    if (isPrinted) console.log(`${((performance.now() - began) / 1000).toFixed(3).padStart(8)} ${line}`);
  };
  tell(`answered agent=${call.info.agentId} language=${call.info.languageCode} rate=${rate}`);
  let isGreeted = given.is("at-once") || given.operands[0] === "-";
  let isOver = false;
  let spokeLastAt = Infinity;
  const speak = async () => {
    await call.speak(silence(rate, () => isGreeted || isOver));
    await call.speak(sound);
    spokeLastAt = performance.now();
    call.stream.halfClose();
  };
  void speak().catch(() => call.stream.halfClose()); // where stdin cannot be read any more, that is its end
  const done: Conversed = { heard: new Uint8Array(), cause: "", latencyMs: 0 };
  try {
    for await (const response of call.responses()) {
      if (response.case === "audio") {
        const waitedMs = performance.now() - spokeLastAt;
        if (waitedMs >= 0 && done.answerMs === undefined && isAudible(response.value.content))
          done.answerMs = Math.round(waitedMs * 10) / 10;
      } else if (response.case === "event") {
        const { event } = response.value;
        if (event.case === "floorChange" && event.value.to === Floor.LISTENING) isGreeted = true;
        if (event.case === "turn") done.latencyMs = Math.round(Number(event.value.latencyUs) / 100) / 10;
        const line = lineOf(event);
        if (line) tell(line);
      } else if (response.case === "end") {
        done.cause = CallEnd_Cause[response.value.cause] ?? String(response.value.cause);
        tell(`ended ${done.cause} turns=${response.value.turnCount}`);
      }
    }
  } finally {
    isOver = true;
    call.stream.cancel();
  }
  done.heard = call.heard;
  return done;
}

/** Frames of zeros until something has happened, or a caller waits no longer. */
async function* silence(rate: number, isOver: () => boolean): AsyncGenerator<Uint8Array> {
  for (let frame = 0; frame < 50 * GREETING_LIMIT_S && !isOver(); frame++) yield new Uint8Array(2 * (rate / 50));
}

/** What the transcript says of an event; empty: nothing. */
function lineOf(event: CallEvent["event"]): string {
  switch (event.case) {
    case "callerText":
      return event.value.isSettled && event.value.text ? `caller: ${event.value.text}` : "";
    case "turn": {
      const line = `${event.value.isGatewayPrompt ? "gateway" : "agent"}: ${event.value.heardText}`;
      return event.value.outcome === TurnRecord_Outcome.COMPLETED ? line : `${line} [${outcomeOf(event.value)}]`;
    }
    case "stageTrouble":
      return `trouble ${event.value.stage} ${event.value.reason} ${event.value.remedy}`;
    case "lineTrouble":
      return `line ${event.value.cause}`;
    default:
      return "";
  }
}

function outcomeOf(turn: TurnRecord): string {
  return TurnRecord_Outcome[turn.outcome] ?? String(turn.outcome); // of a later version
}

function isAudible(content: Uint8Array): boolean {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  for (let at = 0; at + 1 < content.length; at += 2) if (Math.abs(view.getInt16(at, true)) > AUDIBLE) return true;
  return false;
}

/** Every turn of every call as it ends. */
export async function watch(connection: Connection, given: Given): Promise<number> {
  let hasBegun = false;
  let turns = 0;
  const broken = await connection.onReplica(async (transport) => {
    try {
      const events = createClient(CallGatewayService, transport).watchCalls({ callId: given.text("call") });
      for await (const { event, droppedEvents } of events) {
        hasBegun = true;
        if (droppedEvents > 0n) console.error(`watch: ${droppedEvents} events lost`);
        if (event?.event.case !== "turn") continue;
        console.log(jsonOf(event, event.event.value));
        if (++turns === given.number("count")) return undefined;
      }
      return undefined;
    } catch (error) {
      if (!hasBegun) throw error;
      return errorOf(error); // what has been told is not told again by another replica
    }
  });
  if (broken) throw broken;
  return 0;
}

function jsonOf({ callId }: CallEvent, turn: TurnRecord): string {
  return JSON.stringify({
    call_id: callId,
    turn_id: Number(turn.turnId),
    outcome: outcomeOf(turn),
    user_text: turn.userText,
    heard_text: turn.heardText,
    end_reason: turn.endReason,
    stop_reason: turn.stopReason,
    is_gateway_prompt: turn.isGatewayPrompt,
    latency_ms: Number(turn.latencyUs / 1000n),
  });
}
