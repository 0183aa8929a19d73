package dev.tongdai.client;

import dev.tongdai.voice.stt.v1.RecognitionConfig;
import dev.tongdai.voice.stt.v1.StreamingRecognizeRequest;
import dev.tongdai.voice.stt.v1.StreamingRecognizeResponse;
import dev.tongdai.voice.stt.v1.SttServiceGrpc;
import dev.tongdai.voice.stt.v1.UtteranceEnd;
import dev.tongdai.voice.type.v1.EngineInfo;
import java.io.IOException;
import java.io.InputStream;

/** A recogniser. Send in one thread and take responses in another; {@link #halfClose} settles what is open. */
public final class Recognition extends SoundStream<StreamingRecognizeRequest, StreamingRecognizeResponse> {
  private volatile boolean isServerLeaving; // for the thread that sends

  private Recognition(int sampleRateHertz, long startSample) {
    super(sampleRateHertz, startSample, chunk -> StreamingRecognizeRequest.newBuilder().setAudio(chunk).build());
  }

  /** Open a stream that takes 16-bit samples; of {@code config} the audio format is filled in. */
  public static Recognition open(Connection connection, int sampleRateHertz, RecognitionConfig config)
      throws TongDaiException, InterruptedException {
    RecognitionConfig.Builder whole = config.toBuilder().setAudioFormat(linear16(sampleRateHertz));
    return open(connection, () -> new Recognition(sampleRateHertz, config.getStartSample()),
        SttServiceGrpc.getStreamingRecognizeMethod(), StreamingRecognizeRequest.newBuilder().setConfig(whole).build());
  }

  /** Who listens. */
  public EngineInfo engine() {
    return first.getEngine();
  }

  /** True once the server asked to open the next utterance elsewhere (going_away). */
  public boolean isServerLeaving() {
    return isServerLeaving;
  }

  /**
   * Send 16-bit little-endian samples of a file or a microphone up to their end, in frames of 20 ms, no faster than real
   * time where {@code isPaced}.
   */
  public void hear(InputStream samples, boolean isPaced) throws IOException, InterruptedException {
    send(samples, isPaced);
  }

  /** The turn is over: settle everything that {@link #hear} has sent. */
  public void endUtterance() throws InterruptedException {
    UtteranceEnd.Builder end = UtteranceEnd.newBuilder().setEndSample(nextSample);
    send(StreamingRecognizeRequest.newBuilder().setUtteranceEnd(end).build());
  }

  /** The next thing that was heard; null at the end. Call it at all times, from one thread. */
  @Override
  public StreamingRecognizeResponse next() throws TongDaiException, InterruptedException {
    StreamingRecognizeResponse response = super.next();
    isServerLeaving |= response != null && response.hasGoingAway();
    return response;
  }
}
