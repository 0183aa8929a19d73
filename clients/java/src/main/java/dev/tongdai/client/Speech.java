package dev.tongdai.client;

import dev.tongdai.voice.tts.v1.StreamingSynthesizeRequest;
import dev.tongdai.voice.tts.v1.StreamingSynthesizeResponse;
import dev.tongdai.voice.tts.v1.SynthesisConfig;
import dev.tongdai.voice.tts.v1.TextEnd;
import dev.tongdai.voice.tts.v1.TtsServiceGrpc;
import dev.tongdai.voice.tts.v1.TurnText;
import dev.tongdai.voice.type.v1.Cancellation;
import dev.tongdai.voice.type.v1.EngineInfo;
import dev.tongdai.voice.type.v1.TurnEnd;
import java.util.function.Consumer;

/** A voice: one stream, turn after turn. Turn ids are counted here; what still comes of a cancelled turn is dropped. */
public final class Speech implements AutoCloseable {
  private final Stream<StreamingSynthesizeRequest, StreamingSynthesizeResponse> stream;
  private long turnId;
  private volatile long fencedThrough;
  private boolean isServerLeaving;

  private Speech(Stream<StreamingSynthesizeRequest, StreamingSynthesizeResponse> stream) {
    this.stream = stream;
  }

  /** Open a stream that gives 16-bit samples; of {@code config} the audio format is filled in. */
  public static Speech open(Connection connection, int sampleRateHertz, SynthesisConfig config)
      throws TongDaiException, InterruptedException {
    SynthesisConfig whole = config.toBuilder().setAudioFormat(Sound.linear16(sampleRateHertz)).build();
    StreamingSynthesizeRequest request = StreamingSynthesizeRequest.newBuilder().setConfig(whole).build();
    return new Speech(
        connection.open((on, observer) -> TtsServiceGrpc.newStub(on).streamingSynthesize(observer), request));
  }

  /** Who speaks. */
  public EngineInfo engine() {
    return stream.first().getEngine();
  }

  /** True once the server asked to open the next turn elsewhere (going_away). */
  public boolean isServerLeaving() {
    return isServerLeaving;
  }

  /**
   * Speak a whole text as one turn and hand over its audio and marks up to its end. Blocks. A turn that fails is a
   * TongDaiException with the code FAILED.
   */
  public void say(String text, Consumer<StreamingSynthesizeResponse> onResponse)
      throws TongDaiException, InterruptedException {
    long id = ++turnId;
    TurnText.Builder turn = TurnText.newBuilder().setTurnId(id).setText(text);
    stream.send(StreamingSynthesizeRequest.newBuilder().setText(turn).build());
    stream.send(StreamingSynthesizeRequest.newBuilder().setTextEnd(TextEnd.newBuilder().setTurnId(id)).build());
    StreamingSynthesizeResponse response;
    while ((response = stream.next()) != null) {
      switch (response.getResponseCase()) {
        case GOING_AWAY -> isServerLeaving = true;
        case AUDIO -> {
          if (response.getAudio().getTurnId() > fencedThrough) {
            onResponse.accept(response);
          }
        }
        case SPOKEN_TEXT -> {
          if (response.getSpokenText().getTurnId() > fencedThrough) {
            onResponse.accept(response);
          }
        }
        case TURN_END -> {
          if (response.getTurnEnd().getTurnId() == id) {
            onResponse.accept(response);
            if (response.getTurnEnd().getOutcome() == TurnEnd.Outcome.OUTCOME_FAILED) {
              throw TongDaiException.failed(response.getTurnEnd());
            }
            return;
          }
        }
        default -> {
          // a kind of a later version
        }
      }
    }
    throw TongDaiException.unavailable("ENDED_EARLY", "the stream ended in the middle of a turn");
  }

  /** Stop speaking; the turn still gets its end. */
  public void cancelTurn() {
    fencedThrough = turnId;
    Cancellation.Builder cancellation = Cancellation.newBuilder().setTurnId(turnId);
    stream.send(StreamingSynthesizeRequest.newBuilder().setCancellation(cancellation).build());
  }

  /** End the stream in good order. */
  public void finish() throws TongDaiException, InterruptedException {
    stream.finish();
  }

  /** Give the stream up, if it is still there. */
  @Override
  public void close() {
    stream.cancel();
  }
}
