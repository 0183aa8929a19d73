package dev.tongdai.client;

import io.grpc.Channel;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;

/**
 * A stream that is open. Any thread may send; one takes responses, at all times. They are asked for one by one as they are
 * taken, and a sender waits until the server reads, so that nothing piles up here.
 */
public final class Stream<RequestT, ResponseT> implements AutoCloseable {
  /** Marks the end: a good one without an error. */
  private record End(TongDaiException error) {}

  private final BlockingQueue<Object> arrived = new LinkedBlockingQueue<>(); // holds two: no more is asked for
  private ClientCallStreamObserver<RequestT> requests;
  private ResponseT first;
  private End end;
  private boolean isHalfClosed;
  private volatile boolean isGivenUp;

  private Stream() {}

  /** Send {@code config} on the first replica that serves, and wait for the first response. */
  static <RequestT, ResponseT> Stream<RequestT, ResponseT> open(
      Connection connection,
      BiFunction<Channel, StreamObserver<ResponseT>, StreamObserver<RequestT>> method,
      RequestT config)
      throws TongDaiException, InterruptedException {
    return connection.onReplica(
        channel -> {
          Stream<RequestT, ResponseT> stream = new Stream<>();
          method.apply(channel, stream.new Observer()).onNext(config);
          try {
            stream.first = stream.take(connection.options().openLimit());
          } catch (InterruptedException interrupted) {
            stream.close(); // nobody has it, so nobody could give it up
            throw interrupted;
          }
          if (stream.first == null) {
            throw TongDaiException.unavailable("ENDED_EARLY", "the stream ended before its first response");
          }
          return stream;
        });
  }

  /** Puts what arrives into the queue, on gRPC's own threads, which it never holds up. */
  private final class Observer implements ClientResponseObserver<RequestT, ResponseT> {
    @Override
    public void beforeStart(ClientCallStreamObserver<RequestT> call) {
      requests = call;
      call.disableAutoRequestWithInitial(1);
      call.setOnReadyHandler(Stream.this::wake);
    }

    @Override
    public void onNext(ResponseT response) {
      arrived.add(response);
    }

    @Override
    public void onError(Throwable thrown) {
      finish(new End(TongDaiException.of(thrown)));
    }

    @Override
    public void onCompleted() {
      finish(new End(null));
    }

    private void finish(End end) {
      synchronized (Stream.this) {
        isHalfClosed = true;
      }
      wake();
      arrived.add(end);
    }
  }

  private synchronized void wake() {
    notifyAll();
  }

  ResponseT first() {
    return first;
  }

  /** Send a request. Once the stream is over nothing is sent: {@link #next} says why. */
  public synchronized void send(RequestT request) throws InterruptedException {
    while (!isHalfClosed && !requests.isReady()) {
      wait();
    }
    put(request);
  }

  /** Send a request without a wait: one of the few small ones about a turn. */
  synchronized void put(RequestT request) {
    if (!isHalfClosed) {
      requests.onNext(request);
    }
  }

  /** Say that nothing more comes; the server finishes what it was sent. */
  public synchronized void halfClose() {
    if (!isHalfClosed) {
      isHalfClosed = true;
      requests.onCompleted();
    }
  }

  /** Give the stream up, if it is still there. Who waits for its next response meets the kind GIVEN_UP. */
  @Override
  public void close() {
    synchronized (this) {
      isGivenUp = true;
      isHalfClosed = true; // behind a cancellation gRPC takes no message of another thread's
      notifyAll();
    }
    requests.cancel("the client gave the stream up", null);
  }

  /** The next response behind the first; null at a good end. */
  public ResponseT next() throws TongDaiException, InterruptedException {
    return take(null);
  }

  /** End the stream in good order. */
  public void finish() throws TongDaiException, InterruptedException {
    halfClose();
    while (next() != null) {
      continue; // what still comes is of no more interest
    }
  }

  @SuppressWarnings("unchecked") // the queue holds responses and one end
  private ResponseT take(Duration limit) throws TongDaiException, InterruptedException {
    if (end == null) {
      Object one = limit == null ? arrived.take() : arrived.poll(limit.toMillis(), TimeUnit.MILLISECONDS);
      if (one == null) {
        close();
        throw TongDaiException.unavailable("OPEN_TIMEOUT", "no response within " + limit.toMillis() + " ms");
      }
      if (!(one instanceof End)) {
        requests.request(1);
        return (ResponseT) one;
      }
      end = (End) one;
    }
    if (end.error() != null) {
      throw isGivenUp && "CANCELLED".equals(end.error().code()) ? TongDaiException.givenUp() : end.error();
    }
    return null;
  }
}
