package dev.tongdai.client;

import com.google.protobuf.ByteString;
import dev.tongdai.voice.stt.v1.RecognitionConfig;
import dev.tongdai.voice.stt.v1.StreamingRecognizeRequest;
import dev.tongdai.voice.stt.v1.StreamingRecognizeResponse;
import dev.tongdai.voice.stt.v1.SttServiceGrpc;
import dev.tongdai.voice.stt.v1.UtteranceEnd;
import dev.tongdai.voice.type.v1.AudioChunk;
import dev.tongdai.voice.type.v1.EngineInfo;

/** An ear: sound in, what was said out. Samples are counted here. Send in one thread and take responses in another. */
public final class Recognition implements AutoCloseable {
  private final Stream<StreamingRecognizeRequest, StreamingRecognizeResponse> stream;
  private final int sampleRateHertz;
  private long nextSample;
  private boolean isServerLeaving;

  private Recognition(
      Stream<StreamingRecognizeRequest, StreamingRecognizeResponse> stream, int sampleRateHertz, long startSample) {
    this.stream = stream;
    this.sampleRateHertz = sampleRateHertz;
    this.nextSample = startSample;
  }

  /** Open a stream that takes 16-bit samples; of {@code config} the audio format is filled in. */
  public static Recognition open(Connection connection, int sampleRateHertz, RecognitionConfig config)
      throws TongDaiException, InterruptedException {
    RecognitionConfig whole = config.toBuilder().setAudioFormat(Sound.linear16(sampleRateHertz)).build();
    StreamingRecognizeRequest request = StreamingRecognizeRequest.newBuilder().setConfig(whole).build();
    return new Recognition(
        connection.open((on, observer) -> SttServiceGrpc.newStub(on).streamingRecognize(observer), request),
        sampleRateHertz,
        config.getStartSample());
  }

  /** Who listens. */
  public EngineInfo engine() {
    return stream.first().getEngine();
  }

  /** True once the server asked to open the next utterance elsewhere (going_away). */
  public boolean isServerLeaving() {
    return isServerLeaving;
  }

  /** Send 16-bit little-endian samples in frames of 20 ms, in real time where {@code isPaced}. */
  public void hear(byte[] samples, boolean isPaced) throws InterruptedException {
    int size = Sound.frameBytes(sampleRateHertz);
    long began = System.nanoTime();
    for (int at = 0; at < samples.length; at += size) {
      if (isPaced) {
        Sound.waitForFrame(began, at / size);
      }
      ByteString content = ByteString.copyFrom(samples, at, Math.min(size, samples.length - at));
      AudioChunk.Builder chunk = AudioChunk.newBuilder().setStartSample(nextSample).setContent(content);
      nextSample += content.size() / 2;
      stream.send(StreamingRecognizeRequest.newBuilder().setAudio(chunk).build());
    }
  }

  /** The turn is over: settle everything sent so far. */
  public void endUtterance() {
    UtteranceEnd.Builder end = UtteranceEnd.newBuilder().setEndSample(nextSample);
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
    stream.cancel();
  }
}
