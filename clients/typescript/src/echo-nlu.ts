#!/usr/bin/env node
/**
 * A minimal NLU server: it echoes what the caller says, clause by clause, and hangs up after a goodbye. It shows that a
 * stage may be written in any language: the gateway uses it where GATEWAY_NLU_TARGET names it, and it passes
 * `python -m clients.conformance --service nlu` for the features it lists.
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureServer, createServer } from "node:http2";
import { isIP } from "node:net";
import { parseArgs } from "node:util";

import { create } from "@bufbuild/protobuf";
import { Code, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

import { EchoStream, refusal } from "./echo-stream.js";
import { AgentProfileSchema, Prompt_Kind } from "./gen/voice/nlu/v1/agent_pb.js";
import { NluService } from "./gen/voice/nlu/v1/nlu_pb.js";
import { EngineInfoSchema } from "./gen/voice/type/v1/engine_pb.js";

const AGENT_ID = "echo";
const LANGUAGE = "en";

const ENGINE = create(EngineInfoSchema, {
  name: "echo",
  model: "echo",
  languageCodes: [LANGUAGE],
  limits: { maxTurnTextChars: 5000 },
  features: [
    "drafts",
    "commit",
    "cancellation",
    "playout_report",
    "transcript_correction",
    "call_action_result",
    "action_ended",
  ],
});

const AGENT = create(AgentProfileSchema, {
  agentId: AGENT_ID,
  languageCodes: [LANGUAGE],
  allowedActs: { acts: ["hang_up"] },
  prompts: [
    { kind: Prompt_Kind.APOLOGY, languageCode: LANGUAGE, text: "I'm sorry, one moment please." },
    { kind: Prompt_Kind.GOODBYE, languageCode: LANGUAGE, text: "I'm sorry, please call again later. Goodbye." },
    { kind: Prompt_Kind.STILL_THERE, languageCode: LANGUAGE, text: "Are you still there?" },
    { kind: Prompt_Kind.SILENCE_GOODBYE, languageCode: LANGUAGE, text: "I cannot hear you. Goodbye." },
    { kind: Prompt_Kind.RECOVERED, languageCode: LANGUAGE, text: "I'm sorry, we were cut off." },
  ],
});

let openStreams = 0;

/** Refuses a call that does not show the token, where there is one. */
function checkToken({ requestHeader }: HandlerContext, token: string): void {
  const digest = (shown: string) => createHash("sha256").update(shown).digest();
  const shown = requestHeader.get("authorization") ?? "";
  if (token && !timingSafeEqual(digest(shown), digest(`Bearer ${token}`)))
    throw refusal(Code.Unauthenticated, "TOKEN_INVALID", "", "the bearer token is missing or is not the one asked for");
}

const routes = (maxStreams: number, token: string) => (router: ConnectRouter) =>
  router.service(NluService, {
    describeEngine: (_, context) => {
      checkToken(context, token);
      return { engine: ENGINE, agents: [AGENT] };
    },
    async *streamingConverse(requests, context) {
      checkToken(context, token);
      const incoming = requests[Symbol.asyncIterator]();
      const first = await incoming.next();
      if (first.done || first.value.request.case !== "config")
        throw refusal(Code.InvalidArgument, "FIRST_MESSAGE_NOT_CONFIG", "config", "the first message carries config");
      const config = first.value.request.value;
      if (config.agentId && config.agentId !== AGENT_ID)
        throw refusal(
          Code.InvalidArgument,
          "UNKNOWN_AGENT",
          "config.agent_id",
          `config.agent_id: there is ${AGENT_ID}`,
        );
      const isSpoken = config.languageCodes.some((tag) => tag.toLowerCase().split("-")[0] === LANGUAGE);
      if (config.languageCodes.length > 0 && !isSpoken)
        throw refusal(
          Code.InvalidArgument,
          "UNKNOWN_LANGUAGE",
          "config.language_codes",
          `config.language_codes: the agent speaks ${LANGUAGE}`,
        );
      if (openStreams >= maxStreams)
        throw refusal(Code.ResourceExhausted, "CAPACITY", "", "every place is taken; try another replica");
      openStreams++;
      const stream = new EchoStream(config.failStreamOnTurnFailure);
      try {
        stream.respond({ case: "engine", value: { engine: ENGINE, agent: AGENT } });
        void stream.read(incoming);
        yield* stream.responses();
      } finally {
        openStreams--;
        stream.close();
      }
    },
  });

function main(): void {
  const { values } = parseArgs({
    options: {
      address: { type: "string", default: "127.0.0.1:50053" },
      "tls-cert": { type: "string", default: "" },
      "tls-key": { type: "string", default: "" },
      "token-file": { type: "string", default: "" },
      "max-streams": { type: "string", default: "200" },
    },
  });
  const at = values.address.lastIndexOf(":");
  const host = values.address.slice(0, at).replace(/^\[|\]$/g, "");
  const isLoopback = host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
  if (!values["tls-cert"] && !isLoopback) {
    console.error(`echo-nlu: ${values.address} is not a loopback address: it needs --tls-cert and --tls-key`);
    process.exit(1);
  }
  const token = values["token-file"] ? readFileSync(values["token-file"], "utf8").trim() : "";
  if (values["token-file"] && !token) {
    console.error(`echo-nlu: ${values["token-file"]} holds no token`);
    process.exit(1);
  }
  const handler = connectNodeAdapter({ routes: routes(Number(values["max-streams"]), token) });
  const server = values["tls-cert"]
    ? createSecureServer({ cert: readFileSync(values["tls-cert"]), key: readFileSync(values["tls-key"]) }, handler)
    : createServer(handler);
  server.on("error", (error) => {
    console.error(`echo-nlu: ${error.message}`);
    process.exit(1);
  });
  server.listen(Number(values.address.slice(at + 1)), host, () => console.log(`echo-nlu listens on ${values.address}`));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(0));
}

main();
