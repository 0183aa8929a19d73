package dev.tongdai.client.programs;

import dev.tongdai.client.Connection;
import dev.tongdai.client.Options;
import dev.tongdai.client.TongDaiException;
import dev.tongdai.client.Wav;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Run a program: call, watch, say, hear or chat. docs/CLIENTS.md describes flags and output, the same everywhere. */
public final class Main {
  static final PrintStream OUT = utf8(FileDescriptor.out);
  static final PrintStream ERR = utf8(FileDescriptor.err);

  private static final Map<String, String> COMMON =
      Map.of(
          "tls-ca", "", "tls-cert", "", "tls-key", "", "token-file", "", "tenant", "", "agent", "", "language", "",
          "deadline", "10", "rounds", "1");

  /** One of the five; {@code run} gives the exit code. */
  private interface Run {
    int run(Connection connection, Given given) throws TongDaiException, InterruptedException, IOException;
  }

  private record Program(
      String target, List<String> operands, Map<String, String> flags, List<String> switches, Run run) {}

  private static final Map<String, Program> PROGRAMS =
      Map.of(
          "call",
          new Program(
              "127.0.0.1:50051",
              List.of("IN.wav", "OUT.wav"),
              Map.of("caller", "", "calls", "0"),
              List.of("at-once"),
              CallProgram::call),
          "watch",
          new Program(
              "127.0.0.1:50051", List.of(), Map.of("call", "", "count", "0"), List.of(), CallProgram::watch),
          "say",
          new Program(
              "127.0.0.1:50054",
              List.of("TEXT", "OUT.wav"),
              Map.of("voice", "", "rate", "0", "sample-rate", "8000"),
              List.of(),
              StagePrograms::say),
          "hear",
          new Program("127.0.0.1:50052", List.of("IN.wav"), Map.of(), List.of("fast"), StagePrograms::hear),
          "chat",
          new Program("127.0.0.1:50053", List.of(), Map.of(), List.of(), StagePrograms::chat));

  private Main() {}

  /** 0: it went well; 1: the server refused or failed; 2: an option or a file is wrong. */
  public static void main(String[] arguments) throws InterruptedException, IOException {
    System.exit(start(List.of(arguments)));
  }

  private static int start(List<String> arguments) throws InterruptedException, IOException {
    String name = arguments.isEmpty() ? "" : arguments.get(0);
    Program program = PROGRAMS.get(name);
    if (program == null) {
      ERR.println("usage: tong-dai call|watch|say|hear|chat [--help]");
      return 2;
    }
    Map<String, String> flags = new HashMap<>(COMMON);
    flags.putAll(program.flags());
    flags.put("target", program.target());
    String usage = (name + " " + String.join(" ", program.operands())).trim();
    if (arguments.contains("--help")) {
      OUT.println("usage: tong-dai " + usage + ", with flags:");
      OUT.println("  --" + String.join(" --", flags.keySet().stream().sorted().toList()));
      return 0;
    }
    try {
      Given given = new Given(arguments.subList(1, arguments.size()), flags, program.switches());
      if (given.operands().size() != program.operands().size()) {
        throw new Given.UsageException("needed: " + usage);
      }
      try (Connection connection = new Connection(options(given))) {
        return program.run().run(connection, given);
      }
    } catch (TongDaiException error) {
      Duration delay = error.retryDelay();
      String retry = delay.isZero() ? "" : String.format(" (try again in %.1f s)", delay.toMillis() / 1000.0);
      ERR.println(name + ": " + error.summary());
      ERR.println("  " + error.getMessage() + retry);
      return 1;
    } catch (Given.UsageException | Wav.WavException error) {
      ERR.println(name + ": " + error.getMessage());
    } catch (FileSystemException error) {
      ERR.println(name + ": " + error.getFile() + ": cannot be opened");
      ERR.println("  " + error.getClass().getSimpleName());
    }
    return 2;
  }

  private static Options options(Given given) throws IOException {
    String token = given.text("token-file").isEmpty() ? "" : Files.readString(Path.of(given.text("token-file")));
    return new Options(
        List.of(given.text("target").split(",")),
        pathOf(given.text("tls-ca")),
        pathOf(given.text("tls-cert")),
        pathOf(given.text("tls-key")),
        token.strip(),
        Duration.ofMillis((long) (1000 * given.number("deadline"))),
        (int) given.number("rounds"));
  }

  /** Null where there is none. Throws where the file cannot be read: gRPC's own errors do not name it. */
  private static Path pathOf(String name) throws IOException {
    if (name.isEmpty()) {
      return null;
    }
    Files.newInputStream(Path.of(name)).close();
    return Path.of(name);
  }

  private static PrintStream utf8(FileDescriptor descriptor) {
    return new PrintStream(new FileOutputStream(descriptor), true, StandardCharsets.UTF_8);
  }
}
