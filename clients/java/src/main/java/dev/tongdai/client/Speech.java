package dev.tongdai.client;

import dev.tongdai.voice.tts.v1.StreamingSynthesizeRequest;
import dev.tongdai.voice.tts.v1.StreamingSynthesizeResponse;
import dev.tongdai.voice.tts.v1.SynthesisConfig;
import dev.tongdai.voice.tts.v1.TextEnd;
import dev.tongdai.voice.tts.v1.TtsServiceGrpc;
import dev.tongdai.voice.tts.v1.TurnText;
import dev.tongdai.voice.type.v1.EngineInfo;
import java.util.List;
import java.util.function.Consumer;

/** A voice that speaks one text a turn. */
public final class Speech extends Turns<StreamingSynthesizeRequest, StreamingSynthesizeResponse> {
  private Speech(Opening<StreamingSynthesizeRequest, StreamingSynthesizeResponse> opening)
      throws TongDaiException, InterruptedException {
    super(opening, turn -> StreamingSynthesizeRequest.newBuilder().setCancellation(turn).build());
  }

  /** Open a stream that gives 16-bit samples; of {@code config} the audio format is filled in. */
  public static Speech open(Connection connection, int sampleRateHertz, SynthesisConfig config)
      throws TongDaiException, InterruptedException {
    SynthesisConfig.Builder whole = config.toBuilder().setAudioFormat(SoundStream.linear16(sampleRateHertz));
    StreamingSynthesizeRequest first = StreamingSynthesizeRequest.newBuilder().setConfig(whole).build();
    return new Speech(() -> Stream.open(connection, Stream::new, TtsServiceGrpc.getStreamingSynthesizeMethod(), first));
  }

  /** Who speaks. */
  public EngineInfo engine() {
    return stream.first.getEngine();
  }

  /**
   * Speak a whole text as one turn and hand over its audio and marks up to its end. Blocks. A turn that fails is a
   * TongDaiException with the code FAILED.
   */
  public void say(String text, Consumer<StreamingSynthesizeResponse> onResponse)
      throws TongDaiException, InterruptedException {
    turn(
        id -> List.of(
            StreamingSynthesizeRequest.newBuilder().setText(TurnText.newBuilder().setTurnId(id).setText(text)).build(),
            StreamingSynthesizeRequest.newBuilder().setTextEnd(TextEnd.newBuilder().setTurnId(id)).build()),
        onResponse);
  }
}
