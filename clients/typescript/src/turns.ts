/** The turns of a stream, one after the other. */

import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";

import { ServerError, unavailable } from "./errors.js";
import { TurnEnd_Outcome, type TurnEnd } from "./gen/voice/type/v1/turn_pb.js";
import type { Stream } from "./stream.js";

/** What a response carries. */
type Kind = { case: string; value: Message } | { case: undefined; value?: undefined };

/**
 * Turn ids are counted here, what comes late for another turn is dropped, and where the server asked for it (going_away)
 * the next turn begins on a fresh stream. A turn that is left before its end is cancelled.
 */
export abstract class Turns<Q extends DescMessage, Response extends { response: Kind }> {
  private turnId = 0n;
  private cancelled = 0n;
  private isServerLeaving = false;

  protected constructor(
    protected stream: Stream<Q, Response>,
    private readonly reopen: () => Promise<Stream<Q, Response>>,
  ) {}

  /** Begin a turn by sending its requests; gives what comes of it up to its end. Throws TongDaiError. */
  protected async *turn(
    requests: (turnId: bigint) => MessageInitShape<Q>[],
  ): AsyncGenerator<Exclude<Response["response"], { case: undefined }>> {
    if (this.isServerLeaving) {
      this.stream.cancel();
      this.stream = await this.reopen();
      this.isServerLeaving = false;
    }
    const turnId = ++this.turnId;
    let isOver = false;
    try {
      for (const request of requests(turnId)) await this.stream.send(request);
      for (let response; (response = await this.stream.next());) {
        const kind = response.response as Exclude<Response["response"], { case: undefined }>;
        if (kind.case === "goingAway") this.isServerLeaving = true;
        if (!kind.value || !("turnId" in kind.value) || kind.value.turnId !== turnId) continue;
        isOver = kind.case === "turnEnd";
        if (isOver || turnId > this.cancelled) yield kind;
        if (!isOver) continue;
        const { outcome, reason, message, retryDelayMs } = kind.value as unknown as TurnEnd;
        if (outcome !== TurnEnd_Outcome.FAILED) return;
        throw new ServerError({ code: "FAILED", reason, message, retryDelayS: retryDelayMs / 1000 });
      }
      throw unavailable("ENDED_EARLY", "the stream ended in the middle of a turn");
    } finally {
      if (!isOver) void this.cancelTurn(); // the caller who left does not wait for it
    }
  }

  /** Give the stream up, if it is still there. */
  cancel(): void {
    this.stream.cancel();
  }

  /** Stop the turn; it still gets its end. */
  async cancelTurn(): Promise<void> {
    this.cancelled = this.turnId;
    const cancellation = { request: { case: "cancellation", value: { turnId: this.turnId } } };
    await this.stream.send(cancellation as unknown as MessageInitShape<Q>);
  }

  /** End the stream in good order. Throws TongDaiError. */
  async close(): Promise<void> {
    await this.stream.close();
  }
}
