package dev.tongdai.client.programs;

import static dev.tongdai.client.programs.Main.ERR;
import static dev.tongdai.client.programs.Main.OUT;

import com.google.protobuf.ByteString;
import dev.tongdai.client.Call;
import dev.tongdai.client.Connection;
import dev.tongdai.client.TongDaiException;
import dev.tongdai.client.Wav;
import dev.tongdai.voice.call.v1.CallConfig;
import dev.tongdai.voice.call.v1.CallEvent;
import dev.tongdai.voice.call.v1.ConnectCallResponse;
import dev.tongdai.voice.call.v1.Floor;
import dev.tongdai.voice.call.v1.TurnRecord;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
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
  private static final long GREETING_LIMIT_MS = 10_000;

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
    Wav wav = Wav.read(Path.of(given.operands().get(0)));
    Path output = Path.of(given.operands().get(1));
    if (given.number("calls") > 0) {
      return callOften(connection, wav, given, output);
    }
    Conversed done = converse(connection, wav, given, true);
    new Wav(wav.sampleRateHertz(), done.heard()).write(output);
    return done.cause().equals("FAILURE") ? 1 : 0;
  }

  /** Several calls at once, and their figures. */
  private static int callOften(Connection connection, Wav wav, Given given, Path output)
      throws InterruptedException, IOException {
    int count = (int) given.number("calls");
    ExecutorService threads = Executors.newCachedThreadPool();
    List<Future<Conversed>> calls = new ArrayList<>();
    for (int number = 0; number < count; number++) {
      Callable<Conversed> one = () -> converse(connection, wav, given, false);
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
    OUT.printf(
        Locale.ROOT,
        "{\"calls\":%d,\"failed\":%d,\"answer_ms\":[%s],\"latency_ms\":[%s],\"cpu_s\":%.3f}%n",
        count,
        failed,
        String.join(",", answers),
        String.join(",", latencies),
        system.getProcessCpuTime() / 1e9);
    if (first != null) {
      new Wav(wav.sampleRateHertz(), first).write(output);
    }
    return failed == 0 ? 0 : 1;
  }

  /** One call from its beginning to its end. */
  private static Conversed converse(Connection connection, Wav wav, Given given, boolean isPrinted)
      throws TongDaiException, InterruptedException {
    CallConfig config =
        CallConfig.newBuilder()
            .setTenantId(given.text("tenant"))
            .setAgentId(given.text("agent"))
            .addAllLanguageCodes(given.languages())
            .setCaller(given.text("caller"))
            .build();
    try (Call call = Call.open(connection, wav.sampleRateHertz(), config, false)) {
      long began = System.nanoTime();
      tell(
          isPrinted,
          began,
          String.format(
              "answered agent=%s language=%s rate=%d",
              call.info().getAgentId(), call.info().getLanguageCode(), wav.sampleRateHertz()));
      AtomicBoolean isGreeted = new AtomicBoolean(given.is("at-once"));
      AtomicLong spokeLastAt = new AtomicLong();
      Thread speaking = new Thread(() -> speak(call, wav, isGreeted, spokeLastAt));
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
              cause = response.getEnd().getCause().name().replaceFirst("CAUSE_", "");
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

  private static void speak(Call call, Wav wav, AtomicBoolean isGreeted, AtomicLong spokeLastAt) {
    try {
      call.speakSilence(isGreeted::get, GREETING_LIMIT_MS);
      call.speak(wav.samples());
      spokeLastAt.set(System.nanoTime());
      call.halfClose();
    } catch (InterruptedException over) {
      Thread.currentThread().interrupt();
    }
  }

  private static void tell(boolean isPrinted, long began, String line) {
    if (isPrinted) {
      OUT.println(String.format(Locale.ROOT, "%8.3f %s", (System.nanoTime() - began) / 1e9, line));
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
    return turn.getOutcome().name().replaceFirst("OUTCOME_", "");
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

  static int watch(Connection connection, Given given) throws TongDaiException {
    int count = (int) given.number("count");
    AtomicInteger turns = new AtomicInteger();
    Call.watch(
        connection,
        given.text("call"),
        response -> {
          if (response.getDroppedEvents() > 0) {
            ERR.println("watch: " + response.getDroppedEvents() + " events lost");
          }
          if (!response.getEvent().hasTurn()) {
            return true;
          }
          OUT.println(jsonOf(response.getEvent()));
          return turns.incrementAndGet() != count;
        });
    return 0;
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
