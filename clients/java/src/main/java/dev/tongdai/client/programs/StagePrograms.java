package dev.tongdai.client.programs;

import static dev.tongdai.client.programs.Main.OUT;

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
import dev.tongdai.voice.stt.v1.StreamingRecognizeResponse;
import dev.tongdai.voice.stt.v1.UtteranceSettled;
import dev.tongdai.voice.tts.v1.SynthesisConfig;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** {@code say}, {@code hear} and {@code chat}: one stage each, without the gateway. */
final class StagePrograms {
  private StagePrograms() {}

  static int say(Connection connection, Given given) throws TongDaiException, InterruptedException, IOException {
    int rate = (int) given.number("sample-rate");
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
      OUT.println("engine " + speech.engine().getName() + " " + speech.engine().getModel());
      ByteArrayOutputStream samples = new ByteArrayOutputStream();
      speech.say(
          given.operands().get(0),
          response -> samples.writeBytes(response.getAudio().getChunk().getContent().toByteArray()));
      speech.finish();
      new Wav(rate, samples.toByteArray()).write(Path.of(given.operands().get(1)));
      OUT.println("spoken " + samples.size() / 2 + " samples at " + rate + " Hz");
    }
    return 0;
  }

  static int hear(Connection connection, Given given) throws TongDaiException, InterruptedException, IOException {
    Wav wav = Wav.read(Path.of(given.operands().get(0)));
    RecognitionConfig config =
        RecognitionConfig.newBuilder()
            .setTenantId(given.text("tenant"))
            .setAgentId(given.text("agent"))
            .addAllLanguageCodes(given.languages())
            .build();
    try (Recognition ear = Recognition.open(connection, wav.sampleRateHertz(), config)) {
      OUT.println("engine " + ear.engine().getName() + " " + ear.engine().getModel());
      Thread sending = new Thread(() -> send(ear, wav, !given.is("fast")));
      sending.setDaemon(true);
      sending.start();
      StreamingRecognizeResponse response;
      while ((response = ear.next()) != null) {
        switch (response.getResponseCase()) {
          case SPEECH_ACTIVITY -> {
            String edge = response.getSpeechActivity().getKind().name().replaceFirst("KIND_", "");
            tell(wav, response.getSpeechActivity().getSample(), "speech " + edge.toLowerCase(Locale.ROOT));
          }
          case TRANSCRIPT -> {
            String stage = response.getTranscript().getStage().name().replaceFirst("STAGE_", "");
            String text = stage.toLowerCase(Locale.ROOT) + ": " + response.getTranscript().getText();
            tell(wav, response.getTranscript().getEndSample(), text);
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

  private static void send(Recognition ear, Wav wav, boolean isPaced) {
    try {
      ear.hear(wav.samples(), isPaced);
      ear.halfClose();
    } catch (InterruptedException over) {
      Thread.currentThread().interrupt();
    }
  }

  private static void tell(Wav wav, long sample, String line) {
    OUT.println(String.format(Locale.ROOT, "%8.3f %s", (double) sample / wav.sampleRateHertz(), line));
  }

  static int chat(Connection connection, Given given) throws TongDaiException, InterruptedException, IOException {
    ConversationConfig config =
        ConversationConfig.newBuilder()
            .setTenantId(given.text("tenant"))
            .setAgentId(given.text("agent"))
            .addAllLanguageCodes(given.languages())
            .build();
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    try (Conversation talk = Conversation.open(connection, config)) {
      OUT.println(
          "engine " + talk.engine().getName() + " " + talk.engine().getModel() + " agent=" + talk.agent().getAgentId());
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
          OUT.println((reply.hasBegun ? "\n" : "") + "failed: " + error.reason());
          reply.hasBegun = false;
        }
        if (reply.hasBegun) {
          OUT.println();
        }
        reply.acts.forEach(act -> OUT.println("action: " + act));
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
        OUT.print((hasBegun ? "" : "agent: ") + response.getReplyText().getText());
        OUT.flush();
        hasBegun = true;
      } else if (response.hasCallAction()) {
        acts.add(actOf(response.getCallAction()));
      }
    }
  }

  /** The next line that is not empty; null at the end. */
  private static String nextLine(BufferedReader input) throws IOException {
    String line;
    while ((line = input.readLine()) != null) {
      if (!line.isBlank()) {
        return line.strip();
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
