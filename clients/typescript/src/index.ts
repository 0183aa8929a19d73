/** Client of the four services of Tổng Đài: a call, speech, recognition and a conversation. docs/CLIENTS.md tells how. */

export { Call } from "./call.js";
export { Connection, type Options } from "./connection.js";
export { Conversation } from "./conversation.js";
export {
  BadRequestError,
  CapacityError,
  errorOf,
  GivenUpError,
  ServerError,
  TokenError,
  TongDaiError,
  UnavailableError,
} from "./errors.js";
export { Recognition } from "./recognition.js";
export { Speech } from "./speech.js";
export type { Sound } from "./stream.js";
export { readWav, writeWav, WavError, type Wav } from "./wav.js";
