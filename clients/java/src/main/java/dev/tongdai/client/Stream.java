package dev.tongdai.client;

import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * A bidirectional stream that is open. Responses are asked for one by one as they are taken, so that nothing piles up here;
 * take them at all times.
 */
final class Stream<RequestT, ResponseT> {
  /** Marks the end: a good one without an error. */
  private record End(TongDaiException error) {}

  private final BlockingQueue<Object> arrived = new LinkedBlockingQueue<>(); // holds two: no more is asked for
  private ClientCallStreamObserver<RequestT> requests;
  private ResponseT first;
  private End end;
  private boolean isHalfClosed;

  private Stream() {}

  static <RequestT, ResponseT> Stream<RequestT, ResponseT> open(
      Function<StreamObserver<ResponseT>, StreamObserver<RequestT>> method, RequestT config, Duration limit)
      throws TongDaiException, InterruptedException {
    Stream<RequestT, ResponseT> stream = new Stream<>();
    method.apply(stream.new Observer());
    stream.send(config);
    stream.first = stream.take(limit);
    if (stream.first == null) {
      throw TongDaiException.unavailable("ENDED_EARLY", "the stream ended before its first response");
    }
    return stream;
  }

  /** Puts what arrives into the queue, on gRPC's threads. */
  private final class Observer implements ClientResponseObserver<RequestT, ResponseT> {
    @Override
    public void beforeStart(ClientCallStreamObserver<RequestT> call) {
      requests = call;
      call.disableAutoRequestWithInitial(1);
    }

    @Override
    public void onNext(ResponseT response) {
      arrived.add(response);
    }

    @Override
    public void onError(Throwable thrown) {
      arrived.add(new End(TongDaiException.of(thrown)));
    }

    @Override
    public void onCompleted() {
      arrived.add(new End(null));
    }
  }

  ResponseT first() {
    return first;
  }

  /** Send a request. Once the stream is over nothing is sent: {@link #next} says why. */
  synchronized void send(RequestT request) {
    if (isHalfClosed) {
      return;
    }
    try {
      requests.onNext(request);
    } catch (IllegalStateException over) {
      isHalfClosed = true;
    }
  }

  /** Say that nothing more comes; the server finishes what it was sent. */
  synchronized void halfClose() {
    if (isHalfClosed) {
      return;
    }
    isHalfClosed = true;
    try {
      requests.onCompleted();
    } catch (IllegalStateException over) {
      isHalfClosed = true;
    }
  }

  /** Give the stream up. */
  void cancel() {
    requests.cancel("the client gave the stream up", null);
  }

  /** The next response behind the first; null at a good end. Call it from one thread. */
  ResponseT next() throws TongDaiException, InterruptedException {
    return take(null);
  }

  /** End the stream in good order. */
  void finish() throws TongDaiException, InterruptedException {
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
        cancel();
        throw TongDaiException.unavailable("OPEN_TIMEOUT", "no response within " + limit.toMillis() + " ms");
      }
      if (!(one instanceof End)) {
        requests.request(1);
        return (ResponseT) one;
      }
      end = (End) one;
    }
    if (end.error() != null) {
      throw end.error();
    }
    return null;
  }
}
