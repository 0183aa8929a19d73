package dev.tongdai.client;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import dev.tongdai.voice.type.v1.Cancellation;
import dev.tongdai.voice.type.v1.GoingAway;
import dev.tongdai.voice.type.v1.TurnEnd;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongFunction;

/**
 * The turns of a stream, one after the other: their ids are counted, what comes late for another one is dropped, and where
 * the server asked for it (going_away) the next one begins on a fresh stream. A turn that is left before its end, by
 * an exception of who takes it, is cancelled.
 */
abstract class Turns<RequestT extends Message, ResponseT extends Message> implements AutoCloseable {
  private final Object beginning = new Object(); // a cancellation that overtook its turn would make the server drop it
  private final Opening<RequestT, ResponseT> opening;
  private final Function<Cancellation, RequestT> cancellation;
  volatile Stream<RequestT, ResponseT> stream;
  private volatile long turnId; // one thread begins turns
  private volatile long cancelled;
  private boolean isServerLeaving;

  /** Opens a stream, at first and again. */
  @FunctionalInterface
  interface Opening<RequestT, ResponseT> {
    Stream<RequestT, ResponseT> open() throws TongDaiException, InterruptedException;
  }

  Turns(Opening<RequestT, ResponseT> opening, Function<Cancellation, RequestT> cancellation)
      throws TongDaiException, InterruptedException {
    this.opening = opening;
    this.cancellation = cancellation;
    this.stream = opening.open();
  }

  /** Begin a turn by sending its requests, and hand over what comes of it up to its end. */
  void turn(LongFunction<Iterable<RequestT>> requests, Consumer<ResponseT> onResponse)
      throws TongDaiException, InterruptedException {
    if (isServerLeaving) {
      stream.close();
      stream = opening.open();
      isServerLeaving = false;
    }
    synchronized (beginning) {
      turnId++;
      for (RequestT request : requests.apply(turnId)) {
        stream.send(request);
      }
    }
    boolean isOver = false;
    try {
      for (ResponseT response; (response = stream.next()) != null; ) {
        for (Object kind : response.getAllFields().values()) { // one at most
          isServerLeaving |= kind instanceof GoingAway;
          TurnEnd end = kind instanceof TurnEnd turnEnd && turnEnd.getTurnId() == turnId ? turnEnd : null;
          isOver = end != null;
          if (isOver || (turnIdOf(kind) == turnId && turnId > cancelled)) {
            onResponse.accept(response);
          }
          if (!isOver) {
            continue;
          } else if (end.getOutcome() == TurnEnd.Outcome.OUTCOME_FAILED) {
            throw TongDaiException.failed(end.getReason(), end.getMessage(), Duration.ofMillis(end.getRetryDelayMs()));
          }
          return;
        }
      }
      throw TongDaiException.unavailable("ENDED_EARLY", "the stream ended in the middle of a turn");
    } finally {
      if (!isOver) {
        cancelTurn();
      }
    }
  }

  private static long turnIdOf(Object kind) { // each is a message
    FieldDescriptor field = ((Message) kind).getDescriptorForType().findFieldByName("turn_id");
    return field == null ? 0 : (long) ((Message) kind).getField(field);
  }

  /** Stop the turn, from any thread; it still gets its end. */
  public void cancelTurn() {
    synchronized (beginning) {
      cancelled = turnId;
      stream.put(cancellation.apply(Cancellation.newBuilder().setTurnId(turnId).build()));
    }
  }

  /** End the stream in good order. */
  public void finish() throws TongDaiException, InterruptedException {
    stream.finish();
  }

  /** Give the stream up, if it is still there. */
  @Override
  public void close() {
    stream.close();
  }
}
