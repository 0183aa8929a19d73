package dev.tongdai.client.programs;

import static dev.tongdai.client.programs.Main.print;

import dev.tongdai.client.Connection;
import dev.tongdai.client.Conversation;
import dev.tongdai.client.Recognition;
import dev.tongdai.client.Speech;
import dev.tongdai.client.TongDaiException;
import dev.tongdai.client.Wav;
import dev.tongdai.voice.nlu.v1.CallAction;
import dev.tongdai.voice.nlu.v1.ConversationConfig;
import dev.tongdai.voice.nlu.v1.StreamingConverseResponse;
import dev.tongdai.voice.stt.v1.RecognitionConfig;
import dev.tongdai.voice.stt.v1.SpeechActivity;
import dev.tongdai.voice.stt.v1.StreamingRecognizeResponse;
import dev.tongdai.voice.stt.v1.Transcript;
import dev.tongdai.voice.stt.v1.UtteranceSettled;
import dev.tongdai.voice.tts.v1.SynthesisConfig;
import dev.tongdai.voice.type.v1.EngineInfo;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Scanner;
import java.util.regex.Pattern;

/** {@code say}, {@code hear} and {@code chat}: one stage each, without the gateway. */
final class StagePrograms {
  /** Blanks of ASCII at both ends: languages disagree about what else is a blank. */
  private static final Pattern BLANKS = Pattern.compile("^[ \\t\\r\\x0B\\f]+|[ \\t\\r\\x0B\\f]+\\z");

  private StagePrograms() {}

  static int say(Connection connection, Given given) throws TongDaiException, InterruptedException, IOException {
    int rate = given.whole("sample-rate");
    SynthesisConfig config =
        SynthesisConfig.newBuilder()
            .setTenantId(given.text("tenant"))
            .setAgentId(given.text("agent"))
            .addAllLanguageCodes(given.languages())
            .setVoice(given.text("voice"))
            .setRate((float) given.number("rate"))
            .setMaxLeadMs(0)
            .build();
    try (Speech speech = Speech.open(connection, rate, config)) {
      print("engine " + speech.engine().getName() + " " + speech.engine().getModel() + "\n");
      ByteArrayOutputStream samples = new ByteArrayOutputStream();
      speech.say(
          given.operands().get(0),
          response -> samples.writeBytes(response.getAudio().getChunk().getContent().toByteArray()));
      speech.finish();
      Main.write(new Wav(rate, samples.toByteArray()), given.operands().get(1));
      print("spoken " + samples.size() / 2 + " samples at " + rate + " Hz\n");
    }
    return 0;
  }

  static int hear(Connection connection, Given given) throws TongDaiException, InterruptedException, IOException {
    Main.Source source = Main.source(given, given.operands().get(0));
    int rate = source.sampleRateHertz();
    RecognitionConfig config =
        RecognitionConfig.newBuilder()
            .setTenantId(given.text("tenant"))
            .setAgentId(given.text("agent"))
            .addAllLanguageCodes(given.languages())
            .build();
    try (Recognition recognition = Recognition.open(connection, rate, config)) {
      print("engine " + recognition.engine().getName() + " " + recognition.engine().getModel() + "\n");
      Thread sending = new Thread(() -> send(recognition, source.sound(), !given.is("fast")));
      sending.setDaemon(true);
      sending.start();
      StreamingRecognizeResponse response;
      while ((response = recognition.next()) != null) {
        switch (response.getResponseCase()) {
          case SPEECH_ACTIVITY -> {
            SpeechActivity activity = response.getSpeechActivity();
            String edge = Main.nameOf(activity.getKind(), activity.getKindValue(), "KIND_");
            tell(rate, activity.getSample(), "speech " + edge.toLowerCase(Locale.ROOT));
          }
          case TRANSCRIPT -> {
            Transcript text = response.getTranscript();
            String stage = Main.nameOf(text.getStage(), text.getStageValue(), "STAGE_").toLowerCase(Locale.ROOT);
            tell(rate, text.getEndSample(), stage + ": " + text.getText());
          }
          case UTTERANCE_SETTLED -> {
            UtteranceSettled settled = response.getUtteranceSettled();
            if (settled.getOutcome() == UtteranceSettled.Outcome.OUTCOME_FAILED) {
              throw TongDaiException.failed(settled.getReason(), settled.getMessage(), Duration.ZERO);
            }
          }
          default -> {
            // nothing to print
          }
        }
      }
    }
    return 0;
  }

  private static void send(Recognition recognition, InputStream sound, boolean isPaced) {
    try {
      recognition.hear(sound, isPaced);
    } catch (IOException gone) {
      Main.ERR.println("hear: stdin: " + gone.getMessage());
    } catch (InterruptedException over) {
      Thread.currentThread().interrupt();
    }
    recognition.halfClose();
  }

  private static void tell(int rate, long sample, String line) {
    double seconds = sample * 1000 / rate / 1000.0; // in whole milliseconds: languages round halves differently
    print(String.format(Locale.ROOT, "%8.3f %s\n", seconds, line));
  }

  static int chat(Connection connection, Given given) throws TongDaiException, InterruptedException {
    ConversationConfig config =
        ConversationConfig.newBuilder()
            .setTenantId(given.text("tenant"))
            .setAgentId(given.text("agent"))
            .addAllLanguageCodes(given.languages())
            .build();
    Scanner input = new Scanner(System.in, StandardCharsets.UTF_8).useDelimiter("\n");
    try (Conversation talk = Conversation.open(connection, config)) {
      EngineInfo engine = talk.engine();
      print("engine " + engine.getName() + " " + engine.getModel() + " agent=" + talk.agent().getAgentId() + "\n");
      for (String line = ""; line != null; line = nextLine(input)) {
        Reply reply = new Reply();
        try {
          if (line.isEmpty()) {
            talk.greet(reply::take);
          } else {
            talk.say(line, reply::take);
          }
        } catch (TongDaiException error) {
          if (!error.code().equals("FAILED")) {
            throw error;
          }
          print((reply.hasBegun ? "\n" : "") + "failed: " + error.reason() + "\n");
          reply.hasBegun = false;
        }
        if (reply.hasBegun) {
          print("\n");
        }
        reply.acts.forEach(act -> print("action: " + act + "\n"));
        if (reply.acts.contains("hang_up")) {
          break;
        }
      }
      talk.finish();
    }
    return 0;
  }

  /** Prints a reply as it comes. */
  private static final class Reply {
    private final List<String> acts = new ArrayList<>();
    private boolean hasBegun;

    void take(StreamingConverseResponse response) {
      if (response.hasReplyText()) {
        print((hasBegun ? "" : "agent: ") + response.getReplyText().getText());
        hasBegun = true;
      } else if (response.hasCallAction()) {
        acts.add(actOf(response.getCallAction()));
      }
    }
  }

  /** The next line that is not empty; null at the end. */
  private static String nextLine(Scanner input) {
    while (input.hasNext()) {
      String line = BLANKS.matcher(input.next()).replaceAll("");
      if (!line.isEmpty()) {
        return line;
      }
    }
    return null;
  }

  private static String actOf(CallAction action) {
    return switch (action.getActionCase()) {
      case HANG_UP -> "hang_up";
      case TRANSFER -> "transfer " + action.getTransfer().getDestination();
      case SEND_DTMF -> "send_dtmf " + action.getSendDtmf().getDigits();
      case SWITCH_LANGUAGE -> "switch_language " + action.getSwitchLanguage().getLanguageCode();
      default -> "unknown";
    };
  }
}
