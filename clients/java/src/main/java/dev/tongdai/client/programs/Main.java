package dev.tongdai.client.programs;

import dev.tongdai.client.Connection;
import dev.tongdai.client.TongDaiException;
import dev.tongdai.client.Wav;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Run a program: call, watch, say, hear or chat. docs/CLIENTS.md describes flags and output, the same everywhere. */
public final class Main {
  static final PrintStream ERR = utf8(FileDescriptor.err);
  private static final PrintStream OUT = utf8(FileDescriptor.out);

  /** One of the five; {@code run} gives the exit code. */
  private interface Run {
    int run(Connection connection, Given given) throws TongDaiException, InterruptedException, IOException;
  }

  /** Sound, and its rate. */
  record Source(InputStream sound, int sampleRateHertz) {}

  private record Program(String target, List<String> operands, Run run) {}

  private static final Map<String, Program> PROGRAMS =
      Map.of(
          "call", new Program("127.0.0.1:50051", List.of("IN.wav", "OUT.wav"), CallProgram::call),
          "watch", new Program("127.0.0.1:50051", List.of(), CallProgram::watch),
          "say", new Program("127.0.0.1:50054", List.of("TEXT", "OUT.wav"), StagePrograms::say),
          "hear", new Program("127.0.0.1:50052", List.of("IN.wav"), StagePrograms::hear),
          "chat", new Program("127.0.0.1:50053", List.of(), StagePrograms::chat));

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
    int operandsAt = arguments.indexOf("--");
    if (arguments.subList(0, operandsAt < 0 ? arguments.size() : operandsAt).contains("--help")) {
      print(Given.help(name, program.operands()) + "\n");
      return 0;
    }
    try {
      Given given =
          new Given(name, program.target(), program.operands(), arguments.subList(1, arguments.size()));
      try (Connection connection = new Connection(given.options())) {
        return program.run().run(connection, given);
      }
    } catch (TongDaiException error) {
      Duration delay = error.retryDelay();
      String retry =
          delay.isZero() ? "" : String.format(Locale.ROOT, " (try again in %.1f s)", delay.toMillis() / 1000.0);
      ERR.println(name + ": " + error.summary() + "\n  " + error.getMessage() + retry);
      return 1;
    } catch (IllegalArgumentException error) { // of the command line, of a WAV, of where the token goes
      ERR.println(name + ": " + error.getMessage());
    } catch (FileSystemException error) {
      ERR.println(name + ": " + error.getFile() + ": cannot be opened\n  " + error.getClass().getSimpleName());
    }
    return 2;
  }

  /** The sound of a WAV, or of stdin where the path is "-". */
  static Source source(Given given, String path) throws IOException {
    if (!path.equals("-")) {
      Wav wav = Wav.read(Given.file(path));
      return new Source(new ByteArrayInputStream(wav.samples()), wav.sampleRateHertz());
    }
    InputStream stdin = new BufferedInputStream(System.in);
    stdin.mark(2);
    if (!hasSample(stdin)) {
      throw new Given.UsageException("-: the file has no samples");
    }
    stdin.reset();
    return new Source(stdin, given.whole("sample-rate"));
  }

  /** Write a WAV; of a disk that is full Java names no file by itself. */
  static void write(Wav wav, String path) throws IOException {
    try {
      wav.write(Path.of(path));
    } catch (FileSystemException named) {
      throw named;
    } catch (IOException error) {
      throw (IOException) new FileSystemException(path, null, error.getMessage()).initCause(error);
    }
  }

  private static boolean hasSample(InputStream sound) {
    try {
      return sound.readNBytes(2).length == 2;
    } catch (IOException unreadable) { // such as a directory
      return false;
    }
  }

  /** The name of an enum's value without its prefix; the number of one of a later version. */
  static String nameOf(Enum<?> value, int number, String prefix) {
    return value.name().equals("UNRECOGNIZED") ? String.valueOf(number) : value.name().replaceFirst(prefix, "");
  }

  /** Print on stdout at once; end the program where its reader is gone. */
  static void print(String text) {
    OUT.print(text);
    if (OUT.checkError()) {
      Runtime.getRuntime().halt(141);
    }
  }

  private static PrintStream utf8(FileDescriptor descriptor) {
    return new PrintStream(new FileOutputStream(descriptor), true, StandardCharsets.UTF_8);
  }
}
