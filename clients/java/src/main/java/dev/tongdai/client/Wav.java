package dev.tongdai.client;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;

/**
 * Sound in a WAV file that goes on a stream as it is: mono, 16-bit PCM, at one of the contract's rates.
 *
 * @param sampleRateHertz 8000, 16000, 24000 or 48000
 * @param samples 16-bit little-endian samples
 */
public record Wav(int sampleRateHertz, byte[] samples) {
  private static final Set<Integer> RATES_HERTZ = Set.of(8000, 16000, 24000, 48000);

  /** WAVE_FORMAT_EXTENSIBLE: the format stands in the first two bytes of its SubFormat, behind 24 others. */
  private static final int EXTENSIBLE = 0xFFFE;

  /** The file cannot be sent; the message says why and what mends it. */
  public static final class WavException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    WavException(String message) {
      super(message);
    }
  }

  /** Read a RIFF WAVE file. Throws WavException. */
  public static Wav read(Path path) throws IOException {
    byte[] content = Files.readAllBytes(path);
    if (content.length < 12 || !name(content, 0).equals("RIFF") || !name(content, 8).equals("WAVE")) {
      throw new WavException(path + ": not a WAV file");
    }
    ByteBuffer bytes = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
    int form = -1;
    byte[] samples = null;
    for (long at = 12; at + 8 <= content.length && samples == null; ) {
      int body = (int) at + 8;
      long size = Integer.toUnsignedLong(bytes.getInt((int) at + 4));
      String name = name(content, (int) at);
      int end = (int) Math.min(body + size, content.length);
      if (name.equals("fmt ") && end - body >= 16) {
        form = body;
      } else if (name.equals("data")) {
        samples = Arrays.copyOfRange(content, body, end);
      }
      at += 8 + size + size % 2;
    }
    if (form < 0 || samples == null) {
      throw new WavException(path + ": a WAV file without " + (form < 0 ? "fmt" : "data"));
    }
    int encoding = Short.toUnsignedInt(bytes.getShort(form));
    if (encoding == EXTENSIBLE && bytes.getInt(form - 4) >= 26 && form + 26 <= content.length) {
      encoding = Short.toUnsignedInt(bytes.getShort(form + 24));
    }
    int channels = Short.toUnsignedInt(bytes.getShort(form + 2));
    int rate = bytes.getInt(form + 4);
    int bits = Short.toUnsignedInt(bytes.getShort(form + 14));
    if (encoding != 1 || channels != 1 || bits != 16 || !RATES_HERTZ.contains(rate)) {
      throw new WavException(String.format(
              "%s: format %d, %d channel(s), %d bits, %s Hz; needed: PCM (format 1), 1 channel, 16 bits, 8000, 16000, "
                  + "24000 or 48000 Hz. Try: ffmpeg -i IN -ac 1 -ar 16000 -c:a pcm_s16le OUT.wav",
              path, encoding, channels, bits, Integer.toUnsignedString(rate)));
    }
    if (samples.length < 2) {
      throw new WavException(path + ": the file has no samples");
    }
    return new Wav(rate, Arrays.copyOf(samples, samples.length / 2 * 2));
  }

  /** Write a RIFF WAVE file. */
  public void write(Path path) throws IOException {
    ByteBuffer file = ByteBuffer.allocate(44 + samples.length).order(ByteOrder.LITTLE_ENDIAN);
    file.put("RIFF".getBytes(StandardCharsets.US_ASCII)).putInt(36 + samples.length);
    file.put("WAVEfmt ".getBytes(StandardCharsets.US_ASCII)).putInt(16).putShort((short) 1).putShort((short) 1);
    file.putInt(sampleRateHertz).putInt(2 * sampleRateHertz).putShort((short) 2).putShort((short) 16);
    file.put("data".getBytes(StandardCharsets.US_ASCII)).putInt(samples.length).put(samples);
    Files.write(path, file.array());
  }

  private static String name(byte[] content, int at) {
    return new String(content, at, 4, StandardCharsets.ISO_8859_1);
  }
}
