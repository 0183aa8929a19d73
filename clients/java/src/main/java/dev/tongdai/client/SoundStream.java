package dev.tongdai.client;

import com.google.protobuf.ByteString;
import dev.tongdai.voice.type.v1.AudioChunk;
import dev.tongdai.voice.type.v1.AudioEncoding;
import dev.tongdai.voice.type.v1.AudioFormat;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** A stream that takes sound, 16-bit PCM, little-endian, mono: its samples are counted. */
abstract class SoundStream<RequestT, ResponseT> extends Stream<RequestT, ResponseT> {
  private static final long FRAME_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private final int frameBytes;
  private final Function<AudioChunk, RequestT> request;
  /** The first sample not sent yet. */
  volatile long nextSample; // endUtterance takes it from another thread


  SoundStream(int sampleRateHertz, long startSample, Function<AudioChunk, RequestT> request) {
    this.frameBytes = 2 * (sampleRateHertz / 50);
    this.nextSample = startSample;
    this.request = request;
  }

  /**
   * Send frames of 20 ms up to the end of the sound: where {@code isPaced} each when it is due, or when a microphone has it.
   * A last frame that is not full is filled with silence.
   */
  void send(InputStream sound, boolean isPaced) throws IOException, InterruptedException {
    byte[] frame = new byte[frameBytes];
    long due = System.nanoTime();
    for (int size; (size = sound.readNBytes(frame, 0, frameBytes)) > 1; due += FRAME_NANOS) {
      if (isPaced) {
        TimeUnit.NANOSECONDS.sleep(due - System.nanoTime());
      }
      Arrays.fill(frame, size, frameBytes, (byte) 0);
      AudioChunk.Builder chunk = AudioChunk.newBuilder().setStartSample(nextSample);
      send(request.apply(chunk.setContent(ByteString.copyFrom(frame)).build()));
      nextSample += frameBytes / 2;
    }
  }

  static AudioFormat linear16(int sampleRateHertz) {
    AudioEncoding encoding = AudioEncoding.AUDIO_ENCODING_LINEAR16;
    return AudioFormat.newBuilder().setEncoding(encoding).setSampleRateHertz(sampleRateHertz).build();
  }
}
