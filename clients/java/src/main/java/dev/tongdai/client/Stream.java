package dev.tongdai.client;

import dev.tongdai.client.TongDaiException.Kind;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.MethodDescriptor;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ClientResponseObserver;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * A stream that is open. Any thread may send; one takes responses, at all times. They are asked for one by one as they are
 * taken, and a sender waits until the server reads, so that nothing piles up here.
 */
public class Stream<RequestT, ResponseT> implements AutoCloseable {
  /** Responses are queued by the thread that reads them, which is quick. */
  private static final CallOptions ON_NETTY = CallOptions.DEFAULT.withExecutor(Runnable::run);

  /** Marks the end: a good one without an error. */
  private record End(TongDaiException error) {}

  private final BlockingQueue<Object> arrived = new LinkedBlockingQueue<>(); // holds two: no more is asked for
  private ClientCallStreamObserver<RequestT> requests;
  ResponseT first;
  private End end;
  private boolean isHalfClosed;
  private volatile boolean isGivenUp;

  Stream() {}

  /** Begin one that {@code fresh} makes on the first replica that serves: send the config, wait for the first response. */
  static <RequestT, ResponseT, StreamT extends Stream<RequestT, ResponseT>> StreamT open(
      Connection connection, Supplier<StreamT> fresh, MethodDescriptor<RequestT, ResponseT> method, RequestT config)
      throws TongDaiException, InterruptedException {
    return connection.onReplica(
        channel -> {
          StreamT stream = fresh.get();
          stream.begin(channel.newCall(method, ON_NETTY), config, connection.options.openLimit());
          return stream;
        });
  }

  void begin(ClientCall<RequestT, ResponseT> call, RequestT config, Duration limit)
      throws TongDaiException, InterruptedException {
    ClientCalls.asyncBidiStreamingCall(call, new Observer()).onNext(config);
    try {
      first = take(limit);
    } catch (InterruptedException interrupted) {
      close(); // no caller holds the stream, so none could close it
      throw interrupted;
    }
    if (first == null) {
      throw TongDaiException.unavailable("ENDED_EARLY", "the stream ended before its first response");
    }
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
      end(new End(TongDaiException.of(thrown)));
    }

    @Override
    public void onCompleted() {
      end(new End(null));
    }
  }

  private synchronized void end(End end) {
    isHalfClosed = true;
    notifyAll();
    arrived.add(end);
  }

  private synchronized void wake() {
    notifyAll();
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
      String code = end.error().code();
      boolean isOwn = isGivenUp && code.equals("CANCELLED");
      throw isOwn ? TongDaiException.of(Kind.GIVEN_UP, code, "", "the stream was given up") : end.error();
    }
    return null;
  }
}
