/** Where a program's sound comes from: a WAV, or stdin as it comes. */

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

async function* whole(first: Uint8Array, pieces: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  for (let next; !(next = await pieces.next()).done;) yield next.value;
}
