package dev.tongdai.client;

import dev.tongdai.voice.type.v1.AudioEncoding;
import dev.tongdai.voice.type.v1.AudioFormat;
import java.util.concurrent.TimeUnit;

/** The format of every stream here, 16-bit PCM, little-endian, mono; and its pace: a frame every 20 ms. */
final class Sound {
  private static final long FRAME_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private Sound() {}

  static AudioFormat linear16(int sampleRateHertz) {
    return AudioFormat.newBuilder()
        .setEncoding(AudioEncoding.AUDIO_ENCODING_LINEAR16)
        .setSampleRateHertz(sampleRateHertz)
        .build();
  }

  static int frameBytes(int sampleRateHertz) {
    return 2 * (sampleRateHertz / 50);
  }

  /** Waits for the time of frame {@code number} after {@code beganNanos}. */
  static void waitForFrame(long beganNanos, long number) throws InterruptedException {
    TimeUnit.NANOSECONDS.sleep(beganNanos + number * FRAME_NANOS - System.nanoTime());
  }
}
