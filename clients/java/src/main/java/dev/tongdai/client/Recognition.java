package dev.tongdai.client;

import dev.tongdai.voice.stt.v1.RecognitionConfig;
import dev.tongdai.voice.stt.v1.StreamingRecognizeRequest;
import dev.tongdai.voice.stt.v1.StreamingRecognizeResponse;
import dev.tongdai.voice.stt.v1.SttServiceGrpc;
import dev.tongdai.voice.stt.v1.UtteranceEnd;
import dev.tongdai.voice.type.v1.EngineInfo;
import java.io.IOException;
import java.io.InputStream;

/** A recogniser. Send in one thread and take responses in another. */
public final class Recognition implements AutoCloseable {
  private final Stream<StreamingRecognizeRequest, StreamingRecognizeResponse> stream;
  private final Outgoing sound;
  private volatile boolean isServerLeaving; // for the thread that sends

  private Recognition(
      Stream<StreamingRecognizeRequest, StreamingRecognizeResponse> stream, int sampleRateHertz, long startSample) {
    this.stream = stream;
    Outgoing.Sender sender = chunk -> stream.send(StreamingRecognizeRequest.newBuilder().setAudio(chunk).build());
    this.sound = new Outgoing(sampleRateHertz, startSample, sender);
  }

  /** Open a stream that takes 16-bit samples; of {@code config} the audio format is filled in. */
  public static Recognition open(Connection connection, int sampleRateHertz, RecognitionConfig config)
      throws TongDaiException, InterruptedException {
    RecognitionConfig.Builder whole = config.toBuilder().setAudioFormat(Outgoing.linear16(sampleRateHertz));
    Stream<StreamingRecognizeRequest, StreamingRecognizeResponse> stream =
        Stream.open(connection, (on, to) -> SttServiceGrpc.newStub(on).withExecutor(Runnable::run).streamingRecognize(to),
            StreamingRecognizeRequest.newBuilder().setConfig(whole).build());
    return new Recognition(stream, sampleRateHertz, config.getStartSample());
  }

  /** Who listens. */
  public EngineInfo engine() {
    return stream.first().getEngine();
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
    sound.speak(samples, isPaced);
  }

  /** The turn is over: settle everything that {@link #hear} has sent. */
  public void endUtterance() throws InterruptedException {
    UtteranceEnd.Builder end = UtteranceEnd.newBuilder().setEndSample(sound.nextSample());
    stream.send(StreamingRecognizeRequest.newBuilder().setUtteranceEnd(end).build());
  }

  /** No more sound comes: what is open is settled, then the stream ends. */
  public void halfClose() {
    stream.halfClose();
  }

  /** The next thing that was heard; null at the end. Call it at all times, from one thread. */
  public StreamingRecognizeResponse next() throws TongDaiException, InterruptedException {
    StreamingRecognizeResponse response = stream.next();
    isServerLeaving |= response != null && response.hasGoingAway();
    return response;
  }

  /** Give the stream up, if it is still there. */
  @Override
  public void close() {
    stream.close();
  }
}
