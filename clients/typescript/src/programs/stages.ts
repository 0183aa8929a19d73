/** `say`, `hear` and `chat`: one stage each, without the gateway. */

import type { CallAction } from "../gen/voice/nlu/v1/nlu_pb.js";
import { SpeechActivity_Kind, Transcript_Stage, UtteranceSettled_Outcome } from "../gen/voice/stt/v1/stt_pb.js";
import { Conversation, Recognition, ServerError, Speech, writeWav, type Connection } from "../index.js";
import { named, type Given } from "./flags.js";
import { lines, source } from "./source.js";

export async function say(connection: Connection, given: Given): Promise<number> {
  const [text = "", output = ""] = given.operands;
  const sampleRateHertz = given.number("sample-rate");
  const config = { ...given.whose, voice: given.text("voice"), rate: given.number("rate"), maxLeadMs: 0 };
  const speech = await Speech.open(connection, sampleRateHertz, config);
  console.log(`engine ${speech.engine.name} ${speech.engine.model}`);
  const chunks: Uint8Array[] = [];
  for await (const { case: kind, value } of speech.say(text))
    if (kind === "audio" && value.chunk) chunks.push(value.chunk.content);
  await speech.close();
  const samples = Buffer.concat(chunks);
  named(output, () => writeWav(output, { sampleRateHertz, samples }));
  console.log(`spoken ${samples.length / 2} samples at ${sampleRateHertz} Hz`);
  return 0;
}

export async function hear(connection: Connection, given: Given): Promise<number> {
  const [input = ""] = given.operands;
  const { sound, rate } = await source(given, input);
  const recognition = await Recognition.open(connection, rate, given.whose);
  console.log(`engine ${recognition.engine.name} ${recognition.engine.model}`);
  // Where stdin cannot be read any more, that is its end.
  const hearing = recognition.hear(sound, !given.is("fast")).catch(() => undefined);
  void hearing.then(() => recognition.stream.halfClose());
  // In whole milliseconds: languages round halves differently.
  const secondsOf = (sample: bigint) => (Number((sample * 1000n) / BigInt(rate)) / 1000).toFixed(3);
  const tell = (sample: bigint, line: string) => console.log(`${secondsOf(sample).padStart(8)} ${line}`);
  for await (const { case: kind, value } of recognition.responses()) {
    if (kind === "speechActivity")
      tell(value.sample, `speech ${(SpeechActivity_Kind[value.kind] ?? String(value.kind)).toLowerCase()}`);
    if (kind === "transcript")
      tell(value.endSample, `${(Transcript_Stage[value.stage] ?? String(value.stage)).toLowerCase()}: ${value.text}`);
    if (kind === "utteranceSettled" && value.outcome === UtteranceSettled_Outcome.FAILED)
      throw new ServerError({ code: "FAILED", reason: value.reason, message: value.message });
  }
  return 0;
}

export async function chat(connection: Connection, given: Given): Promise<number> {
  const talk = await Conversation.open(connection, given.whose);
  const { engine, agent } = talk.who;
  console.log(`engine ${engine?.name ?? ""} ${engine?.model ?? ""} agent=${agent?.agentId ?? ""}`);
  const said = lines();
  for (let reply = talk.greet(); ;) {
    const acts: string[] = [];
    let hasBegun = false;
    try {
      for await (const { case: kind, value } of reply) {
        if (kind === "replyText") {
          process.stdout.write((hasBegun ? "" : "agent: ") + value.text);
          hasBegun = true;
        }
        if (kind === "callAction") acts.push(actOf(value.action));
      }
    } catch (error) {
      if (!(error instanceof ServerError) || error.code !== "FAILED") throw error;
      console.log(`${hasBegun ? "\n" : ""}failed: ${error.reason}`);
      hasBegun = false;
    }
    if (hasBegun) console.log();
    for (const act of acts) console.log(`action: ${act}`);
    if (acts.includes("hang_up")) break;
    const line = await said.next();
    if (line.done) break;
    reply = talk.say(line.value);
  }
  await talk.close();
  return 0;
}

function actOf(action: CallAction["action"]): string {
  switch (action.case) {
    case "hangUp":
      return "hang_up";
    case "transfer":
      return `transfer ${action.value.destination}`;
    case "sendDtmf":
      return `send_dtmf ${action.value.digits}`;
    case "switchLanguage":
      return `switch_language ${action.value.languageCode}`;
    default:
      return "unknown";
  }
}
