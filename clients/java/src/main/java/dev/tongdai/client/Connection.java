package dev.tongdai.client;

import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;

/** The replicas of one service. Streams are opened on the first one that serves. Close it when done. */
public final class Connection implements AutoCloseable {
  /** A server's wish to wait longer is not followed. */
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(30);

  private final Options options;
  private final List<ManagedChannel> managed = new ArrayList<>();
  private final List<Channel> channels = new ArrayList<>();

  /** Throws IOException where a file of the options cannot be read. */
  public Connection(Options options) throws IOException {
    this.options = options;
    Metadata headers = new Metadata();
    if (!options.token().isEmpty()) {
      headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + options.token());
    }
    for (String target : options.targets()) {
      ManagedChannel channel =
          Grpc.newChannelBuilder(target, security(options))
              .disableRetry()
              // Servers refuse to be pinged oftener than every 10 s.
              .keepAliveTime(20, TimeUnit.SECONDS)
              .keepAliveTimeout(10, TimeUnit.SECONDS)
              .keepAliveWithoutCalls(true)
              .build();
      managed.add(channel);
      channels.add(ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(headers)));
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

  /** A channel a replica, with the token on every call: for stubs of your own, blocking or asynchronous. */
  public List<Channel> channels() {
    return List.copyOf(channels);
  }

  /**
   * Open a stream: send {@code config} and wait for the first response. Replicas that are full or away are passed over, up
   * to {@code rounds} times.
   */
  <RequestT, ResponseT> Stream<RequestT, ResponseT> open(
      BiFunction<Channel, StreamObserver<ResponseT>, StreamObserver<RequestT>> method, RequestT config)
      throws TongDaiException, InterruptedException {
    TongDaiException refusal = TongDaiException.unavailable("", "no target was given");
    for (int round = 0; round < Math.max(1, options.rounds()); round++) {
      if (round > 0) {
        Duration wait = refusal.retryDelay().isZero() ? Duration.ofSeconds(1) : refusal.retryDelay();
        Thread.sleep(Math.min(wait.toMillis(), LONGEST_WAIT.toMillis()));
      }
      for (Channel channel : channels) {
        try {
          return Stream.open(observer -> method.apply(channel, observer), config, options.openLimit());
        } catch (TongDaiException error) {
          refusal = error;
          if (!error.isElsewhereWorthwhile()) {
            throw error;
          }
        }
      }
    }
    throw refusal;
  }

  @Override
  public void close() {
    for (ManagedChannel channel : managed) {
      channel.shutdownNow();
    }
  }
}
