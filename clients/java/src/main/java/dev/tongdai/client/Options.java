package dev.tongdai.client;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * How to reach a service.
 *
 * @param targets replicas, "host:port" each, in the order they are tried
 * @param tlsCaFile PEM certificates that sign the server's; null: plain text
 * @param tlsCertificateFile PEM chain of this client, for mTLS; null: none
 * @param tlsKeyFile PEM private key of it (PKCS #8); null: none
 * @param token a bearer token; empty sends none
 * @param openLimit how long a replica may take for its first response
 * @param rounds how often the replicas are tried, with the wait of RetryInfo in between
 */
public record Options(
    List<String> targets,
    Path tlsCaFile,
    Path tlsCertificateFile,
    Path tlsKeyFile,
    String token,
    Duration openLimit,
    int rounds) {

  /** Plain text, no token, one round of ten seconds a replica. */
  public static Options of(String... targets) {
    return new Options(List.of(targets), null, null, null, "", Duration.ofSeconds(10), 1);
  }
}
