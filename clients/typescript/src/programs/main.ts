#!/usr/bin/env node
/** Run a program: call, watch, say, hear or chat. docs/CLIENTS.md describes flags and output, the same everywhere. */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { Connection, TongDaiError, WavError } from "../index.js";
import { call, watch } from "./call.js";
import { chat, hear, say } from "./stages.js";

/** What the command line says. */
export interface Given {
  operands: string[];
  text: (flag: string) => string;
  number: (flag: string) => number;
  is: (flag: string) => boolean;
  languages: string[];
}

type Flags = Record<string, { type: "string"; default: string } | { type: "boolean" }>;

interface Program {
  target: string;
  operands: string[];
  flags: Flags;
  run: (connection: Connection, given: Given) => Promise<number>;
}

const text = (value = "") => ({ type: "string" as const, default: value });
const flag = { type: "boolean" as const };

const COMMON: Flags = {
  target: text(),
  "tls-ca": text(),
  "tls-cert": text(),
  "tls-key": text(),
  "token-file": text(),
  tenant: text(),
  agent: text(),
  language: text(),
  deadline: text("10"),
  rounds: text("1"),
  help: flag,
};

const PROGRAMS: Record<string, Program> = {
  call: {
    target: "127.0.0.1:50051",
    operands: ["IN.wav", "OUT.wav"],
    flags: { "at-once": flag, caller: text(), calls: text("0") },
    run: call,
  },
  watch: { target: "127.0.0.1:50051", operands: [], flags: { call: text(), count: text("0") }, run: watch },
  say: {
    target: "127.0.0.1:50054",
    operands: ["TEXT", "OUT.wav"],
    flags: { voice: text(), rate: text("0"), "sample-rate": text("8000") },
    run: say,
  },
  hear: { target: "127.0.0.1:50052", operands: ["IN.wav"], flags: { fast: flag }, run: hear },
  chat: { target: "127.0.0.1:50053", operands: [], flags: {}, run: chat },
};

class UsageError extends Error {}

function parse(name: string, program: Program, args: string[]): Given {
  let parsed;
  try {
    parsed = parseArgs({ args, options: { ...COMMON, ...program.flags }, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { values, positionals } = parsed;
  const word = (flag: string) => String(values[flag] ?? "");
  const number = (flag: string) => {
    if (word(flag) === "" || Number.isNaN(Number(word(flag)))) throw new UsageError(`--${flag} is a number`);
    return Number(word(flag));
  };
  if (values["help"]) {
    console.log(`usage: tong-dai ${[name, ...program.operands].join(" ")}, with flags:`);
    console.log(
      `  ${Object.keys({ ...COMMON, ...program.flags })
        .map((flag) => `--${flag}`)
        .join(" ")}`,
    );
    process.exit(0);
  }
  if (positionals.length !== program.operands.length)
    throw new UsageError(`needed: ${[name, ...program.operands].join(" ")}`);
  const languages = word("language").split(",").filter(Boolean);
  return { operands: positionals, text: word, number, is: (flag) => values[flag] === true, languages };
}

/** 0: it went well; 1: the server refused or failed; 2: an option or a file is wrong. */
async function main(args: string[]): Promise<number> {
  const name = args[0] ?? "";
  const program = PROGRAMS[name];
  if (!program) {
    console.error("usage: tong-dai call|watch|say|hear|chat [--help]");
    return 2;
  }
  try {
    const given = parse(name, program, args.slice(1));
    const tokenFile = given.text("token-file");
    const connection = new Connection({
      targets: (given.text("target") || program.target).split(","),
      tlsCaFile: given.text("tls-ca"),
      tlsCertificateFile: given.text("tls-cert"),
      tlsKeyFile: given.text("tls-key"),
      token: tokenFile ? readFileSync(tokenFile, "utf8").trim() : "",
      openLimitS: given.number("deadline"),
      rounds: given.number("rounds"),
    });
    return await program.run(connection, given);
  } catch (error) {
    if (error instanceof TongDaiError) {
      const retry = error.retryDelayS ? ` (try again in ${error.retryDelayS.toFixed(1)} s)` : "";
      console.error(`${name}: ${error.summary}\n  ${error.message}${retry}`);
      return 1;
    }
    if (error instanceof WavError || error instanceof UsageError) {
      console.error(`${name}: ${error.message}`);
      return 2;
    }
    const file = error as NodeJS.ErrnoException;
    if (file.path === undefined) throw error;
    console.error(`${name}: ${file.path}: cannot be opened\n  ${file.message}`);
    return 2;
  }
}

process.on("SIGINT", () => process.exit(130));
const code = await main(process.argv.slice(2));
// Connections are kept open for the next stream: leave once what was printed is out.
process.stdout.write("", () => process.exit(code));
