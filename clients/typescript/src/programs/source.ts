/** Where a program's sound and lines come from: a WAV, or stdin as it comes. */

import { readWav, type Sound } from "../index.js";
import { named, UsageError, type Given } from "./flags.js";

/** The sound of a WAV, or of stdin where the path is "-", and its rate in Hz. Throws UsageError, WavError. */
export async function source(given: Given, path: string): Promise<{ sound: Sound; rate: number }> {
  if (path !== "-") {
    const { samples, sampleRateHertz } = named(path, () => readWav(path));
    return { sound: samples, rate: sampleRateHertz };
  }
  const pieces = process.stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let first = Buffer.alloc(0);
  while (first.length < 2) {
    const { done, value } = await pieces.next().catch(() => ({ done: true as const, value: undefined }));
    if (done) throw new UsageError("-: the file has no samples");
    first = Buffer.concat([first, value]);
  }
  return { sound: whole(first, pieces), rate: given.number("sample-rate") };
}

/** Blanks of ASCII at both ends: languages disagree about what else is a blank. */
const BLANKS = /^[ \t\r\v\f]+|[ \t\r\v\f]+$/g;

/** Each line of stdin that is not empty, without the blanks around it. Where stdin cannot be read, that is its end. */
export async function* lines(): AsyncGenerator<string> {
  const pieces = process.stdin.setEncoding("utf8")[Symbol.asyncIterator]() as AsyncIterator<string>;
  for (let held = ""; ;) {
    const { done, value } = await pieces.next().catch(() => ({ done: true as const, value: undefined }));
    const whole = (done ? `${held}\n` : held + value).split("\n"); // readline ends lines at other characters, too
    held = whole.pop() ?? "";
    for (const line of whole.map((one) => one.replace(BLANKS, ""))) if (line) yield line;
    if (done) return;
  }
}

async function* whole(first: Uint8Array, pieces: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  for (let next; !(next = await pieces.next()).done;) yield next.value;
}
