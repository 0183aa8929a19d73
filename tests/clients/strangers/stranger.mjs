// A program of another team's; main.go beside it says what it does.
import { Call, Connection, Conversation, GivenUpError, ServerError, Speech, UnavailableError } from "@tong-dai/client";

const [what, target] = process.argv.slice(2);
const connection = new Connection({ targets: [target] });
const NAMES = new Map([[GivenUpError, "given up"], [UnavailableError, "unavailable"], [ServerError, "server"]]);
try {
  if (what === "hurry") {
    for (let round = 0; round < 100; round++) {
      const call = await Call.open(connection, 8000);
      let isOver = false;
      const sending = (async () => {
        while (!isOver) await call.hangUp();
      })();
      await new Promise((later) => setTimeout(later, 5));
      call.stream.cancel();
      call.stream.halfClose();
      isOver = true;
      await sending;
    }
    console.log("given up");
  } else if (what === "leave") {
    const talk = await Conversation.open(connection);
    for await (const _ of talk.say("One.")) break;
    for await (const _ of talk.say("Two."));
    await talk.close();
    console.log("left");
  } else if (what === "report") {
    const call = await Call.open(connection, 8000);
    call.reportsPlayed = true;
    call.stream.halfClose();
    for await (const _ of call.responses());
    console.log(`heard ${call.heard.length / 2}`);
  } else {
    const speech = await Speech.open(connection, 8000);
    if (what === "idle") {
      console.log("open");
      await new Promise((read) => process.stdin.once("data", read));
      process.stdin.destroy();
    }
    for await (const _ of speech.say("Hello.")) if (what === "cancel") speech.cancel();
  }
} catch (error) {
  console.log(NAMES.get(error.constructor) ?? String(error));
}
connection.close(); // and the program ends by itself
