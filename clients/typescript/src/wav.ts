/** WAV files that go on a stream as they are: mono, 16-bit PCM, at one of the contract's rates. */

import { readFileSync, writeFileSync } from "node:fs";

const RATES_HERTZ = [8000, 16000, 24000, 48000];
/** WAVE_FORMAT_EXTENSIBLE: the format stands in the first two bytes of its SubFormat, behind 24 others. */
const EXTENSIBLE = 0xfffe;

/** The file cannot be sent; the message says why and what mends it. */
export class WavError extends Error {}

/** Sound: 16-bit little-endian samples, mono. */
export interface Wav {
  sampleRateHertz: number;
  samples: Uint8Array;
}

/** Read a RIFF WAVE file. Throws WavError, and what node:fs throws. */
export function readWav(path: string): Wav {
  const content = readFileSync(path);
  if (
    content.length < 12 ||
    content.toString("latin1", 0, 4) !== "RIFF" ||
    content.toString("latin1", 8, 12) !== "WAVE"
  )
    throw new WavError(`${path}: not a WAV file`);
  let form: Buffer | undefined;
  let samples: Buffer | undefined;
  for (let at = 12; at + 8 <= content.length && !samples;) {
    const name = content.toString("latin1", at, at + 4);
    const size = content.readUInt32LE(at + 4);
    const body = content.subarray(at + 8, at + 8 + size);
    if (name === "fmt " && body.length >= 16) form = body;
    if (name === "data") samples = body;
    at += 8 + size + (size % 2);
  }
  if (!form || !samples) throw new WavError(`${path}: a WAV file without ${form ? "data" : "fmt"}`);
  const [encoding, channels, rate, bits] = [
    form.readUInt16LE(form.readUInt16LE(0) === EXTENSIBLE && form.length >= 26 ? 24 : 0),
    form.readUInt16LE(2),
    form.readUInt32LE(4),
    form.readUInt16LE(14),
  ];
  if (encoding !== 1 || channels !== 1 || bits !== 16 || !RATES_HERTZ.includes(rate)) {
    const found = `format ${encoding}, ${channels} channel(s), ${bits} bits, ${rate} Hz`;
    const wanted = "PCM (format 1), 1 channel, 16 bits, 8000, 16000, 24000 or 48000 Hz";
    throw new WavError(
      `${path}: ${found}; needed: ${wanted}. Try: ffmpeg -i IN -ac 1 -ar 16000 -c:a pcm_s16le OUT.wav`,
    );
  }
  samples = samples.subarray(0, samples.length - (samples.length % 2));
  if (samples.length === 0) throw new WavError(`${path}: the file has no samples`);
  return { sampleRateHertz: rate, samples };
}

/** Write a RIFF WAVE file. Throws what node:fs throws. */
export function writeWav(path: string, { sampleRateHertz: rate, samples }: Wav): void {
  const header = Buffer.alloc(44);
  header.write("RIFF", 0, "latin1");
  header.writeUInt32LE(36 + samples.length, 4);
  header.write("WAVEfmt ", 8, "latin1");
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(2 * rate, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36, "latin1");
  header.writeUInt32LE(samples.length, 40);
  writeFileSync(path, Buffer.concat([header, samples]));
}
