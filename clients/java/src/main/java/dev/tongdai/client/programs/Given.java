package dev.tongdai.client.programs;

import dev.tongdai.client.Options;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a command line says: flags and operands in any order, checked before anything is opened. */
final class Given {
  /** Name, value, the programs that have it (all where empty) and meaning; the same text in every language. */
  private static final String FLAGS =
      """
      agent|ID||which agent answers
      at-once||call|speaks without waiting for the greeting
      call|ID|watch|this call alone
      caller|NUMBER|call|who calls: E.164 or a SIP URI
      calls|N|call|N calls from this process, 100 ms apart; prints one JSON line of figures
      count|N|watch|ends after N turns
      deadline|S||seconds that a replica has for its first response; 10
      fast||hear|sends faster than real time; the text is the same
      language|TAG,...||BCP-47, likeliest first
      rate|R|say|how fast the voice speaks: 0.5 to 2
      rounds|N||how often the replicas are tried, with the server's wait in between; 1
      sample-rate|HZ|call,hear,say|of what is said, and of stdin; 8000, 16000, 24000 or 48000; 8000
      target|HOST:PORT,...||replicas, tried in this order; the service's port on 127.0.0.1
      tenant|ID||whose call it is
      tls-ca|FILE||PEM certificates that sign the server's; turns TLS on
      tls-cert|FILE||PEM chain of this client, for mTLS
      tls-key|FILE||PEM key of this client in PKCS #8, for mTLS
      token-file|FILE||holds the bearer token
      voice|NAME|say|a voice of the engine
      """;

  private static final Pattern NUMBER = Pattern.compile("[0-9]{1,9}(\\.[0-9]{1,9})?");
  private static final Pattern WHOLE = Pattern.compile("[0-9]{1,9}");
  private static final Pattern RATES = Pattern.compile("8000|16000|24000|48000");
  private static final String PORT =
      "([0-9]{1,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";
  private static final String ADDRESS = "([^\\s:/,\\[\\]]+|\\[[0-9A-Fa-f:.]+\\]):" + PORT;
  private static final Pattern TARGETS = Pattern.compile(ADDRESS + "(," + ADDRESS + ")*");
  private static final Pattern KEY =
      Pattern.compile("-----BEGIN PRIVATE KEY-----(.*?)-----END PRIVATE KEY-----", Pattern.DOTALL);
  private static final Pattern TOKEN = Pattern.compile("[!-~]+");

  /** A command line, or a file that it names, is wrong. */
  static final class UsageException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
      super(message);
    }
  }

  private final Map<String, String> values = new HashMap<>(Map.of("deadline", "10", "rounds", "1", "sample-rate", "8000"));
  private final List<String> operands = new ArrayList<>();

  Given(String name, String target, List<String> wanted, List<String> arguments) {
    Map<String, String[]> flags = flagsOf(name);
    values.put("target", target);
    Queue<String> left = new ArrayDeque<>(arguments);
    for (String argument; (argument = left.poll()) != null; ) {
      if (argument.equals("--")) {
        operands.addAll(left); // what follows are operands
        break;
      }
      if (argument.startsWith("--")) {
        take(flags, argument.substring(2), left);
      } else {
        operands.add(argument);
      }
    }
    if (operands.size() != wanted.size()) {
      throw new UsageException("needed: " + (name + " " + String.join(" ", wanted)).strip());
    }
  }

  private void take(Map<String, String[]> flags, String argument, Queue<String> left) {
    String[] parts = argument.split("=", 2);
    String flag = parts[0];
    if (!flags.containsKey(flag)) {
      throw new UsageException("unknown flag --" + flag);
    }
    String kind = flags.get(flag)[1];
    if (kind.isEmpty() && parts.length == 2) {
      throw new UsageException("--" + flag + " takes no value");
    }
    String value = kind.isEmpty() ? "yes" : parts.length == 2 ? parts[1] : left.poll();
    if (value == null) {
      throw new UsageException("--" + flag + " needs a value");
    }
    if (kind.equals("N") && !WHOLE.matcher(value).matches()) {
      throw new UsageException("--" + flag + " wants a whole number: " + value);
    }
    if (kind.equals("HZ") && !RATES.matcher(value).matches()) {
      throw new UsageException("--" + flag + " wants 8000, 16000, 24000 or 48000: " + value);
    }
    boolean isNumber = NUMBER.matcher(value).matches() && Double.parseDouble(value) > 0;
    if (List.of("R", "S").contains(kind) && !isNumber) {
      throw new UsageException("--" + flag + " wants a number: " + value);
    }
    if (flag.equals("target") && !TARGETS.matcher(value).matches()) {
      throw new UsageException("--target wants HOST:PORT,...: " + value);
    }
    values.put(flag, value);
  }

  /** The flags of a program: name, value, programs and meaning. */
  private static Map<String, String[]> flagsOf(String program) {
    Map<String, String[]> found = new LinkedHashMap<>();
    for (String line : FLAGS.lines().toList()) {
      String[] parts = line.split("\\|");
      if (parts[2].isEmpty() || Arrays.asList(parts[2].split(",")).contains(program)) {
        found.put(parts[0], parts);
      }
    }
    return found;
  }

  /** What --help prints. */
  static String help(String name, List<String> operands) {
    List<String> lines = new ArrayList<>();
    lines.add("usage: tong-dai " + (name + " " + String.join(" ", operands)).strip() + " [flags]");
    for (String[] flag : flagsOf(name).values()) {
      lines.add(String.format("  %-24s%s", ("--" + flag[0] + " " + flag[1]).strip(), flag[3]));
    }
    return String.join("\n", lines);
  }

  String text(String flag) {
    return values.getOrDefault(flag, "");
  }

  boolean is(String flag) {
    return !text(flag).isEmpty();
  }

  double number(String flag) {
    return is(flag) ? Double.parseDouble(text(flag)) : 0;
  }

  int whole(String flag) {
    return (int) number(flag);
  }

  List<String> languages() {
    return Arrays.stream(text("language").split(",")).filter(tag -> !tag.isEmpty()).toList();
  }

  List<String> operands() {
    return operands;
  }

  /** How to reach the service. */
  Options options() throws IOException {
    if (is("tls-cert") != is("tls-key") || (is("tls-cert") && !is("tls-ca"))) {
      throw new UsageException("--tls-cert and --tls-key go together, with --tls-ca");
    }
    String token = is("token-file") ? read("token-file").strip() : "";
    if (is("token-file") && !TOKEN.matcher(token).matches()) {
      throw new UsageException(text("token-file") + ": holds no token");
    }
    Path authority = pem("tls-ca");
    Path certificate = pem("tls-cert");
    Path key = pem("tls-key");
    if (authority != null && certificatesIn(authority).isEmpty()) {
      throw new UsageException(authority + ": no PEM file");
    }
    if (certificate != null && !holdsKeyOf(certificate, key)) {
      throw new UsageException(certificate + ", " + key + ": no certificate and its key");
    }
    return new Options(
        List.of(text("target").split(",")),
        authority,
        certificate,
        key,
        token,
        Duration.ofMillis((long) (1000 * number("deadline"))),
        whole("rounds"));
  }

  private Path pem(String flag) throws IOException {
    if (!is(flag)) {
      return null;
    }
    if (!read(flag).contains("-----BEGIN ")) {
      throw new UsageException(text(flag) + ": no PEM file");
    }
    return Path.of(text(flag));
  }

  /** The certificates of a PEM file; none where it has nothing but the frame of one. */
  private static Collection<? extends Certificate> certificatesIn(Path path) throws IOException {
    try (InputStream file = Files.newInputStream(path)) {
      return CertificateFactory.getInstance("X.509").generateCertificates(file);
    } catch (CertificateException error) {
      return List.of();
    }
  }

  /** Whether a PEM file has the private key in PKCS #8 of a certificate: what it signs, the certificate verifies. */
  private static boolean holdsKeyOf(Path certificate, Path key) throws IOException {
    Matcher found = KEY.matcher(Files.readString(key, StandardCharsets.ISO_8859_1));
    var chain = certificatesIn(certificate).iterator();
    if (!found.find() || !chain.hasNext()) {
      return false;
    }
    PublicKey own = chain.next().getPublicKey();
    String kind = own.getAlgorithm();
    String signing = Map.of("RSA", "SHA256withRSA", "EC", "SHA256withECDSA").getOrDefault(kind, kind);
    try {
      Signature signature = Signature.getInstance(signing);
      signature.initSign(
          KeyFactory.getInstance(kind)
              .generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(found.group(1)))));
      byte[] signed = signature.sign();
      signature.initVerify(own);
      return signature.verify(signed);
    } catch (GeneralSecurityException | IllegalArgumentException error) {
      return false; // a key of another kind, or none
    }
  }

  private String read(String flag) throws IOException {
    return new String(Files.readAllBytes(file(text(flag))), StandardCharsets.ISO_8859_1);
  }

  /** The path of a file that is to be read; the error of a directory would not name it. */
  static Path file(String name) throws FileSystemException {
    if (Files.isDirectory(Path.of(name))) {
      throw new FileSystemException(name, null, "is a directory");
    }
    return Path.of(name);
  }
}
