#!/usr/bin/env node
/** Run a program: call, watch, say, hear or chat. docs/CLIENTS.md describes flags and output, the same everywhere. */

import { Connection, TongDaiError, WavError } from "../index.js";
import { call, watch } from "./call.js";
import { Given, helpOf, UsageError } from "./flags.js";
import { chat, hear, say } from "./stages.js";

interface Program {
  target: string;
  operands: string[];
  run: (connection: Connection, given: Given) => Promise<number>;
}

const PROGRAMS: Record<string, Program> = {
  call: { target: "127.0.0.1:50051", operands: ["IN.wav", "OUT.wav"], run: call },
  watch: { target: "127.0.0.1:50051", operands: [], run: watch },
  say: { target: "127.0.0.1:50054", operands: ["TEXT", "OUT.wav"], run: say },
  hear: { target: "127.0.0.1:50052", operands: ["IN.wav"], run: hear },
  chat: { target: "127.0.0.1:50053", operands: [], run: chat },
};

/** 0: it went well; 1: the server refused or failed; 2: an option or a file is wrong. */
async function main(args: string[]): Promise<number> {
  const name = args[0] ?? "";
  const program = Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name] : undefined;
  if (!program) {
    console.error("usage: tong-dai call|watch|say|hear|chat [--help]");
    return 2;
  }
  const flags = args.includes("--") ? args.slice(0, args.indexOf("--")) : args; // what follows are operands
  if (flags.includes("--help")) {
    console.log(helpOf(name, program.operands));
    return 0;
  }
  try {
    const given = new Given(name, program.target, program.operands, args.slice(1));
    return await program.run(new Connection(given.options), given);
  } catch (error) {
    return explain(name, error);
  }
}

/** Print an error, its first line the same in every language. */
function explain(name: string, error: unknown): number {
  if (error instanceof TongDaiError) {
    const retry = error.retryDelayS ? ` (try again in ${error.retryDelayS.toFixed(1)} s)` : "";
    console.error(`${name}: ${error.summary}\n  ${error.message}${retry}`);
    return 1;
  }
  if (!(error instanceof WavError || error instanceof UsageError || error instanceof RangeError)) throw error;
  console.error(`${name}: ${error.message}`);
  return 2;
}

process.on("SIGINT", () => process.exit(130));
process.stdout.on("error", () => process.exit(141)); // its reader is gone, or the disk is full
const code = await main(process.argv.slice(2));
// Connections are kept open for the next stream: leave once what was printed is out.
process.stdout.write("", (error) => process.exit(error ? 141 : code));
