package dev.tongdai.client.programs;

import static dev.tongdai.client.programs.Main.ERR;
import static dev.tongdai.client.programs.Main.nameOf;
import static dev.tongdai.client.programs.Main.print;

import com.google.protobuf.ByteString;
import dev.tongdai.client.Call;
import dev.tongdai.client.Connection;
import dev.tongdai.client.TongDaiException;
import dev.tongdai.client.Wav;
import dev.tongdai.voice.call.v1.CallConfig;
import dev.tongdai.voice.call.v1.CallEvent;
import dev.tongdai.voice.call.v1.CallGatewayServiceGrpc;
import dev.tongdai.voice.call.v1.ConnectCallResponse;
import dev.tongdai.voice.call.v1.Floor;
import dev.tongdai.voice.call.v1.TurnRecord;
import dev.tongdai.voice.call.v1.WatchCallsRequest;
import dev.tongdai.voice.call.v1.WatchCallsResponse;
import io.grpc.StatusRuntimeException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** {@code call}: a WAV in, the agent's WAV and a timed transcript out. {@code watch}: every turn, one JSON line each. */
final class CallProgram {
  /** After that the caller speaks without having been greeted. */
  private static final int GREETING_LIMIT_S = 10;

  /** Between the beginnings of several calls. */
  private static final long STAGGER_MS = 100;

  /** The smallest sample of a voice: -40 dBFS. */
  private static final int AUDIBLE = 330;

  /**
   * What happened on one call: answerMs is from the caller's last frame to the first audible one of the answer, latencyMs
   * the last turn's, as the gateway has it in the turn's record.
   */
  private record Conversed(byte[] heard, String cause, double answerMs, double latencyMs) {}

  private CallProgram() {}

  static int call(Connection connection, Given given) throws TongDaiException, InterruptedException, IOException {
    String input = given.operands().get(0);
    String output = given.operands().get(1);
    if (input.equals("-") && given.is("calls")) {
      throw new Given.UsageException("--calls needs a file");
    }
    if (given.whole("calls") > 0) {
      return callOften(connection, Wav.read(Given.file(input)), given, output);
    }
    Main.Source source = Main.source(given, input);
    Conversed done = converse(connection, source, given, true);
    Main.write(new Wav(source.sampleRateHertz(), done.heard()), output);
    return done.cause().equals("FAILURE") ? 1 : 0;
  }

  /** Several calls at once, and their figures. */
  private static int callOften(Connection connection, Wav wav, Given given, String output)
      throws InterruptedException, IOException {
    int count = given.whole("calls");
    ExecutorService threads = Executors.newCachedThreadPool();
    List<Future<Conversed>> calls = new ArrayList<>();
    for (int number = 0; number < count; number++) {
      Main.Source source = new Main.Source(new ByteArrayInputStream(wav.samples()), wav.sampleRateHertz());
      Callable<Conversed> one = () -> converse(connection, source, given, false);
      calls.add(threads.submit(one));
      Thread.sleep(STAGGER_MS);
    }
    threads.shutdown();
    List<String> answers = new ArrayList<>();
    List<String> latencies = new ArrayList<>();
    byte[] first = null;
    int failed = 0;
    for (Future<Conversed> call : calls) {
      try {
        Conversed done = call.get();
        first = first == null ? done.heard() : first;
        if (done.answerMs() >= 0) {
          answers.add(String.valueOf(done.answerMs()));
          latencies.add(String.valueOf(done.latencyMs()));
        }
      } catch (ExecutionException thrown) {
        failed++;
        String why = thrown.getCause() instanceof TongDaiException error ? error.summary() : thrown.getMessage();
        ERR.println("call: " + why);
      }
    }
    var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    print(
        String.format(
            Locale.ROOT,
            "{\"calls\":%d,\"failed\":%d,\"answer_ms\":[%s],\"latency_ms\":[%s],\"cpu_s\":%.3f}\n",
            count,
            failed,
            String.join(",", answers),
            String.join(",", latencies),
            system.getProcessCpuTime() / 1e9));
    if (first != null) {
      Main.write(new Wav(wav.sampleRateHertz(), first), output);
    }
    return failed == 0 ? 0 : 1;
  }

  /** One call from its beginning to its end. */
  private static Conversed converse(Connection connection, Main.Source source, Given given, boolean isPrinted)
      throws TongDaiException, InterruptedException {
    CallConfig config =
        CallConfig.newBuilder()
            .setTenantId(given.text("tenant"))
            .setAgentId(given.text("agent"))
            .addAllLanguageCodes(given.languages())
            .setCaller(given.text("caller"))
            .build();
    try (Call call = Call.open(connection, source.sampleRateHertz(), config, false)) {
      long began = System.nanoTime();
      tell(
          isPrinted,
          began,
          String.format(
              "answered agent=%s language=%s rate=%d",
              call.info().getAgentId(), call.info().getLanguageCode(), source.sampleRateHertz()));
      AtomicBoolean isGreeted = new AtomicBoolean(given.is("at-once") || given.operands().get(0).equals("-"));
      AtomicLong spokeLastAt = new AtomicLong();
      Thread speaking = new Thread(() -> speak(call, source, isGreeted, spokeLastAt));
      speaking.setDaemon(true);
      speaking.start();
      double answerMs = -1;
      double latencyMs = 0;
      String cause = "";
      try {
        ConnectCallResponse response;
        while ((response = call.next()) != null) {
          switch (response.getResponseCase()) {
            case AUDIO -> {
              long last = spokeLastAt.get();
              if (last != 0 && answerMs < 0 && isAudible(response.getAudio().getContent())) {
                answerMs = Math.round((System.nanoTime() - last) / 1e5) / 10.0;
              }
            }
            case EVENT -> {
              CallEvent event = response.getEvent();
              if (event.getFloorChange().getTo() == Floor.FLOOR_LISTENING) {
                isGreeted.set(true);
              }
              if (event.hasTurn()) {
                latencyMs = Math.round(event.getTurn().getLatencyUs() / 100.0) / 10.0;
              }
              String line = lineOf(event);
              if (!line.isEmpty()) {
                tell(isPrinted, began, line);
              }
            }
            case END -> {
              cause = nameOf(response.getEnd().getCause(), response.getEnd().getCauseValue(), "CAUSE_");
              tell(isPrinted, began, "ended " + cause + " turns=" + response.getEnd().getTurnCount());
            }
            default -> {
              // a kind of a later version
            }
          }
        }
      } finally {
        speaking.interrupt();
      }
      return new Conversed(call.heard(), cause, answerMs, latencyMs);
    }
  }

  private static void speak(Call call, Main.Source source, AtomicBoolean isGreeted, AtomicLong spokeLastAt) {
    try {
      call.speak(new Silence(isGreeted, source.sampleRateHertz()));
      call.speak(source.sound());
      spokeLastAt.set(System.nanoTime());
      call.halfClose();
    } catch (IOException gone) {
      ERR.println("call: stdin: " + gone.getMessage());
      call.halfClose();
    } catch (InterruptedException over) {
      Thread.currentThread().interrupt();
    }
  }

  /** Zeros until the caller is greeted, or waits no longer. */
  private static final class Silence extends InputStream {
    private final AtomicBoolean isGreeted;
    private int left;

    Silence(AtomicBoolean isGreeted, int sampleRateHertz) {
      this.isGreeted = isGreeted;
      this.left = 2 * GREETING_LIMIT_S * sampleRateHertz;
    }

    @Override
    public int read() {
      return isGreeted.get() || left-- <= 0 ? -1 : 0;
    }

    @Override
    public int read(byte[] frame, int at, int size) {
      if (isGreeted.get() || left <= 0) {
        return -1;
      }
      Arrays.fill(frame, at, at + size, (byte) 0);
      left -= size;
      return size;
    }
  }

  private static void tell(boolean isPrinted, long began, String line) {
    if (isPrinted) {
      print(String.format(Locale.ROOT, "%8.3f %s\n", (System.nanoTime() - began) / 1e9, line));
    }
  }

  /** What the transcript says of an event; empty: nothing. */
  private static String lineOf(CallEvent event) {
    return switch (event.getEventCase()) {
      case CALLER_TEXT ->
          event.getCallerText().getIsSettled() && !event.getCallerText().getText().isEmpty()
              ? "caller: " + event.getCallerText().getText()
              : "";
      case TURN -> {
        TurnRecord turn = event.getTurn();
        String line = (turn.getIsGatewayPrompt() ? "gateway: " : "agent: ") + turn.getHeardText();
        boolean isWhole = turn.getOutcome() == TurnRecord.Outcome.OUTCOME_COMPLETED;
        yield isWhole ? line : line + " [" + outcomeOf(turn) + "]";
      }
      case STAGE_TROUBLE ->
          String.join(
              " ",
              "trouble",
              event.getStageTrouble().getStage(),
              event.getStageTrouble().getReason(),
              event.getStageTrouble().getRemedy());
      case LINE_TROUBLE -> "line " + event.getLineTrouble().getCause();
      default -> "";
    };
  }

  private static String outcomeOf(TurnRecord turn) {
    return nameOf(turn.getOutcome(), turn.getOutcomeValue(), "OUTCOME_");
  }

  private static boolean isAudible(ByteString content) {
    for (int at = 0; at + 1 < content.size(); at += 2) {
      int sample = (short) (content.byteAt(at) & 0xFF | content.byteAt(at + 1) << 8);
      if (Math.abs(sample) > AUDIBLE) {
        return true;
      }
    }
    return false;
  }

  static int watch(Connection connection, Given given) throws TongDaiException, InterruptedException {
    WatchCallsRequest request = WatchCallsRequest.newBuilder().setCallId(given.text("call")).build();
    AtomicBoolean hasBegun = new AtomicBoolean();
    AtomicInteger turns = new AtomicInteger();
    TongDaiException broken =
        connection.onReplica(
            channel -> {
              try {
                Iterator<WatchCallsResponse> events = CallGatewayServiceGrpc.newBlockingStub(channel).watchCalls(request);
                while (events.hasNext()) {
                  hasBegun.set(true);
                  tell(events.next(), turns);
                  if (turns.get() > 0 && turns.get() == given.whole("count")) {
                    break; // closing the connection ends the stream
                  }
                }
                return null;
              } catch (StatusRuntimeException thrown) {
                if (!hasBegun.get()) {
                  throw thrown;
                }
                return TongDaiException.of(thrown); // what has been told is not told again by another replica
              }
            });
    if (broken != null) {
      throw broken;
    }
    return 0;
  }

  private static void tell(WatchCallsResponse response, AtomicInteger turns) {
    if (response.getDroppedEvents() > 0) {
      ERR.println("watch: " + response.getDroppedEvents() + " events lost");
    }
    if (response.getEvent().hasTurn()) {
      print(jsonOf(response.getEvent()) + "\n");
      turns.incrementAndGet();
    }
  }

  private static String jsonOf(CallEvent event) {
    TurnRecord turn = event.getTurn();
    return "{\"call_id\":" + quoted(event.getCallId())
        + ",\"turn_id\":" + turn.getTurnId()
        + ",\"outcome\":" + quoted(outcomeOf(turn))
        + ",\"user_text\":" + quoted(turn.getUserText())
        + ",\"heard_text\":" + quoted(turn.getHeardText())
        + ",\"end_reason\":" + quoted(turn.getEndReason())
        + ",\"stop_reason\":" + quoted(turn.getStopReason())
        + ",\"is_gateway_prompt\":" + turn.getIsGatewayPrompt()
        + ",\"latency_ms\":" + turn.getLatencyUs() / 1000
        + "}";
  }

  /** A JSON string (RFC 8259 section 7). */
  private static String quoted(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (char one : text.toCharArray()) {
      switch (one) {
        case '"' -> json.append("\\\"");
        case '\\' -> json.append("\\\\");
        case '\n' -> json.append("\\n");
        case '\r' -> json.append("\\r");
        case '\t' -> json.append("\\t");
        case '\b' -> json.append("\\b");
        case '\f' -> json.append("\\f");
        default -> json.append(one < ' ' ? String.format("\\u%04x", (int) one) : String.valueOf(one));
      }
    }
    return json.append('"').toString();
  }
}
