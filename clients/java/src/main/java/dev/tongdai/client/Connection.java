package dev.tongdai.client;

import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The replicas of one service: the first one that serves is used. Close it when done. */
public final class Connection implements AutoCloseable {
  /** A server's wish to wait longer is not followed. */
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(30);

  final Options options;
  private final List<ManagedChannel> channels = new ArrayList<>();

  /** What is done with a replica. */
  @FunctionalInterface
  public interface Attempt<T> {
    /** Throws TongDaiException or StatusRuntimeException where the replica fails. */
    T on(Channel channel) throws TongDaiException, InterruptedException;
  }

  /**
   * Throws IOException where a file of the options cannot be read, IllegalArgumentException where the token would leave this
   * machine in plain text.
   */
  public Connection(Options options) throws IOException {
    this.options = options;
    Metadata headers = new Metadata();
    if (!options.token().isEmpty()) {
      headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + options.token());
    }
    for (String target : options.targets()) {
      if (!options.token().isEmpty() && options.tlsCaFile() == null && !isLoopback(target)) {
        close();
        throw new IllegalArgumentException("the bearer token would go to " + target + " over plain text: use TLS");
      }
      channels.add(
          Grpc.newChannelBuilder(target, security(options))
              .intercept(MetadataUtils.newAttachHeadersInterceptor(headers))
              .disableRetry()
              // Servers refuse to be pinged oftener than every 10 s.
              .keepAliveTime(20, TimeUnit.SECONDS).keepAliveTimeout(10, TimeUnit.SECONDS)
              .keepAliveWithoutCalls(true)
              .build());
    }
  }

  private static ChannelCredentials security(Options options) throws IOException {
    if (options.tlsCaFile() == null) {
      return InsecureChannelCredentials.create();
    }
    TlsChannelCredentials.Builder tls = TlsChannelCredentials.newBuilder().trustManager(options.tlsCaFile().toFile());
    if (options.tlsCertificateFile() != null) {
      tls.keyManager(options.tlsCertificateFile().toFile(), options.tlsKeyFile().toFile());
    }
    return tls.build();
  }

  private static boolean isLoopback(String target) {
    return target.matches("(localhost|127\\.[0-9.]+|\\[::1\\]):.*");
  }

  /** A channel a replica, with the token on every call: for stubs of your own, blocking or asynchronous. */
  public List<Channel> channels() {
    return List.copyOf(channels);
  }

  /**
   * Try the replicas in turn until one serves. Those that are full or away are passed over, and tried again as
   * {@code rounds} and RetryInfo say.
   */
  public <T> T onReplica(Attempt<T> attempt) throws TongDaiException, InterruptedException {
    TongDaiException refusal = TongDaiException.unavailable("", "no target was given");
    for (int round = 0; round < Math.max(1, options.rounds()); round++) {
      if (round > 0) {
        Duration wait = refusal.retryDelay().isZero() ? Duration.ofSeconds(1) : refusal.retryDelay();
        Thread.sleep(Math.min(wait.toMillis(), LONGEST_WAIT.toMillis()));
      }
      for (Channel channel : channels) {
        try {
          return attempt.on(channel);
        } catch (TongDaiException | StatusRuntimeException error) {
          refusal = TongDaiException.of(error);
          if (!refusal.isElsewhereWorthwhile()) {
            throw refusal;
          }
        }
      }
    }
    throw refusal;
  }

  @Override
  public void close() {
    channels.forEach(ManagedChannel::shutdownNow);
  }
}
