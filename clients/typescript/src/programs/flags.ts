/** The command line: flags and operands in any order, checked before anything is opened. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

import type { Options } from "../index.js";

/** Name, value, the programs that have it (all where empty) and meaning; the same text in every language. */
const FLAGS = `\
agent|ID||which agent answers
at-once||call|speaks without waiting for the greeting
call|ID|watch|this call alone
caller|NUMBER|call|who calls: E.164 or a SIP URI
calls|N|call|N calls from this process, 100 ms apart; prints one JSON line of figures
count|N|watch|ends after N turns
deadline|S||seconds that a replica has for its first response; 10
fast||hear|sends faster than real time; the text is the same
language|TAG,...||BCP-47, likeliest first
rate|R|say|how fast the voice speaks: 0.5 to 2
rounds|N||how often the replicas are tried, with the server's wait in between; 1
sample-rate|HZ|call,hear,say|of what is said, and of stdin; 8000, 16000, 24000 or 48000; 8000
target|HOST:PORT,...||replicas, tried in this order; the service's port on 127.0.0.1
tenant|ID||whose call it is
tls-ca|FILE||PEM certificates that sign the server's; turns TLS on
tls-cert|FILE||PEM chain of this client, for mTLS
tls-key|FILE||PEM key of this client in PKCS #8, for mTLS
token-file|FILE||holds the bearer token
voice|NAME|say|a voice of the engine`;

const NUMBER = /^[0-9]{1,9}(\.[0-9]{1,9})?$/;
const WHOLE = /^[0-9]{1,9}$/;
const RATES = /^(8000|16000|24000|48000)$/;
const PORT = "([0-9]{1,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";
const ADDRESS = `([^\\s:/,\\[\\]]+|\\[[0-9A-Fa-f:.]+\\]):${PORT}`;
const TARGETS = new RegExp(`^${ADDRESS}(,${ADDRESS})*$`, "u");
const TOKEN = /^[!-~]+$/;

/** A command line, or a file that it names, is wrong. */
export class UsageError extends Error {}

/** What a command line says. */
export class Given {
  readonly operands: string[] = [];
  private readonly values = new Map([
    ["deadline", "10"],
    ["rounds", "1"],
    ["sample-rate", "8000"],
  ]);

  /** Throws UsageError. */
  constructor(name: string, target: string, operands: string[], args: string[]) {
    const flags = flagsOf(name);
    this.values.set("target", target);
    const left = [...args];
    for (let argument; (argument = left.shift()) !== undefined;) {
      if (argument === "--") {
        this.operands.push(...left.splice(0)); // what follows are operands
      } else if (argument.startsWith("--")) {
        this.take(flags, argument.slice(2), left);
      } else {
        this.operands.push(argument);
      }
    }
    if (this.operands.length !== operands.length) throw new UsageError(`needed: ${[name, ...operands].join(" ")}`);
  }

  private take(flags: Map<string, [string, string]>, argument: string, left: string[]): void {
    const equals = argument.indexOf("=");
    const flag = equals < 0 ? argument : argument.slice(0, equals);
    const kind = flags.get(flag)?.[0];
    if (kind === undefined) throw new UsageError(`unknown flag --${flag}`);
    if (kind === "" && equals >= 0) throw new UsageError(`--${flag} takes no value`);
    const value = kind === "" ? "yes" : equals < 0 ? left.shift() : argument.slice(equals + 1);
    if (value === undefined) throw new UsageError(`--${flag} needs a value`);
    if (kind === "N" && !WHOLE.test(value)) throw new UsageError(`--${flag} wants a whole number: ${value}`);
    if (kind === "HZ" && !RATES.test(value))
      throw new UsageError(`--${flag} wants 8000, 16000, 24000 or 48000: ${value}`);
    if (["R", "S"].includes(kind) && !(NUMBER.test(value) && Number(value) > 0))
      throw new UsageError(`--${flag} wants a number: ${value}`);
    if (flag === "target" && !TARGETS.test(value)) throw new UsageError(`--target wants HOST:PORT,...: ${value}`);
    this.values.set(flag, value);
  }

  /** The value of a flag; empty where it was not given. */
  text(flag: string): string {
    return this.values.get(flag) ?? "";
  }

  /** The number of a flag; 0 where it was not given. */
  number(flag: string): number {
    return Number(this.text(flag));
  }

  /** Whether a flag was given. */
  is(flag: string): boolean {
    return this.text(flag) !== "";
  }

  /** The fields of a config that say whose call it is. */
  get whose() {
    const languageCodes = this.text("language").split(",").filter(Boolean);
    return { tenantId: this.text("tenant"), agentId: this.text("agent"), languageCodes };
  }

  /** Throws UsageError: a file has the frame of PEM and nothing that TLS can use. */
  private checkPem(): void {
    const [ca, cert, key] = [this.text("tls-ca"), this.text("tls-cert"), this.text("tls-key")];
    try {
      if (ca) new X509Certificate(read(ca));
    } catch {
      throw new UsageError(`${ca}: no PEM file`);
    }
    try {
      if (cert && !new X509Certificate(read(cert)).checkPrivateKey(createPrivateKey(read(key)))) throw new Error();
    } catch {
      throw new UsageError(`${cert}, ${key}: no certificate and its key`);
    }
  }

  /** How to reach the service. Throws UsageError. */
  get options(): Options {
    if (this.is("tls-cert") !== this.is("tls-key") || (this.is("tls-cert") && !this.is("tls-ca")))
      throw new UsageError("--tls-cert and --tls-key go together, with --tls-ca");
    for (const path of ["tls-ca", "tls-cert", "tls-key"].map((flag) => this.text(flag)))
      if (path && !read(path).includes("-----BEGIN ")) throw new UsageError(`${path}: no PEM file`);
    this.checkPem();
    const token = this.is("token-file") ? read(this.text("token-file")).trim() : "";
    if (this.is("token-file") && !TOKEN.test(token)) throw new UsageError(`${this.text("token-file")}: holds no token`);
    return {
      targets: this.text("target").split(","),
      tlsCaFile: this.text("tls-ca"),
      tlsCertificateFile: this.text("tls-cert"),
      tlsKeyFile: this.text("tls-key"),
      token,
      openLimitS: this.number("deadline"),
      rounds: this.number("rounds"),
    };
  }
}

function read(path: string): string {
  return named(path, () => readFileSync(path, "latin1"));
}

/** Do something with a file. Throws UsageError: an error of the file system names no directory by itself. */
export function named<Result>(path: string, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof Error) || !("syscall" in error)) throw error;
    throw new UsageError(`${path}: cannot be opened\n  ${error.message}`);
  }
}

/** The flags of a program, each with what its value is and its meaning. */
function flagsOf(program: string): Map<string, [string, string]> {
  const found = new Map<string, [string, string]>();
  for (const line of FLAGS.split("\n")) {
    const [flag = "", kind = "", programs = "", why = ""] = line.split("|");
    if (programs === "" || programs.split(",").includes(program)) found.set(flag, [kind, why]);
  }
  return found;
}

/** What --help prints. */
export function helpOf(name: string, operands: string[]): string {
  const lines = [`usage: tong-dai ${[name, ...operands].join(" ")} [flags]`];
  for (const [flag, [kind, why]] of flagsOf(name)) lines.push(`  ${`--${flag} ${kind}`.trim().padEnd(24)}${why}`);
  return lines.join("\n");
}
