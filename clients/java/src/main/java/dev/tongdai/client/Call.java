package dev.tongdai.client;

import com.google.protobuf.ByteString;
import dev.tongdai.voice.call.v1.CallConfig;
import dev.tongdai.voice.call.v1.CallEnd;
import dev.tongdai.voice.call.v1.CallGatewayServiceGrpc;
import dev.tongdai.voice.call.v1.CallInfo;
import dev.tongdai.voice.call.v1.ConnectCallRequest;
import dev.tongdai.voice.call.v1.ConnectCallResponse;
import dev.tongdai.voice.call.v1.Hangup;
import dev.tongdai.voice.call.v1.Played;
import dev.tongdai.voice.type.v1.AudioChunk;
import java.io.IOException;
import java.io.InputStream;

/**
 * One call through the gateway; the program is the caller. Speak in one thread and take responses in another. After
 * {@link #halfClose} the call ends with the reply to what was sent; {@link #close} drops it without a word.
 */
public final class Call extends SoundStream<ConnectCallRequest, ConnectCallResponse> {
  /** Samples of silence that are kept: nine hours at 8 kHz. A server that leaves more has lost its clock. */
  private static final long MAX_HOLE = 1 << 28;

  private final boolean reportsPlayed;
  private ByteString heard = ByteString.EMPTY; // appending copies nothing
  private CallEnd end;

  private Call(int sampleRateHertz, boolean reportsPlayed) {
    super(sampleRateHertz, 0, chunk -> ConnectCallRequest.newBuilder().setAudio(chunk).build());
    this.reportsPlayed = reportsPlayed;
  }

  /**
   * Call the gateway; of {@code config} the audio format is filled in. With {@code reportsPlayed} each chunk is reported as
   * played when it comes, so that the gateway need not take for heard what is still on its way; such a call ends with
   * {@link #hangUp}, for after {@link #halfClose} nothing can be reported.
   */
  public static Call open(Connection connection, int sampleRateHertz, CallConfig config, boolean reportsPlayed)
      throws TongDaiException, InterruptedException {
    CallConfig.Builder whole = config.toBuilder().setAudioFormat(linear16(sampleRateHertz));
    return open(connection, () -> new Call(sampleRateHertz, reportsPlayed), CallGatewayServiceGrpc.getConnectCallMethod(),
        ConnectCallRequest.newBuilder().setConfig(whole).build());
  }

  /** The call as the gateway knows it. */
  public CallInfo info() {
    return first.getCall();
  }

  /** Why the call is over, once it is; else null. */
  public CallEnd end() {
    return end;
  }

  /** The agent's sound from the call's first sample on, 16-bit little-endian, silence included: 58 MB an hour at 8 kHz. */
  public byte[] heard() {
    return heard.toByteArray();
  }

  /** Send the sound of a file or a microphone up to its end, in frames of 20 ms, no faster than real time. */
  public void speak(InputStream samples) throws IOException, InterruptedException {
    send(samples, true);
  }

  /** Hang up at once. */
  public void hangUp() throws InterruptedException {
    send(ConnectCallRequest.newBuilder().setHangup(Hangup.getDefaultInstance()).build());
  }

  /** The next thing the gateway says; null when the call is over. Call it at all times, from one thread. */
  @Override
  public ConnectCallResponse next() throws TongDaiException, InterruptedException {
    ConnectCallResponse response = super.next();
    if (response == null) {
      if (end == null) {
        throw TongDaiException.unavailable("ENDED_EARLY", "the stream ended before the call did");
      }
    } else if (response.hasAudio()) {
      play(response.getAudio());
    } else if (response.hasAudioDiscard()) {
      heard = upTo(byteOf(response.getAudioDiscard().getFromSample(), 0));
    } else if (response.hasEnd()) {
      end = response.getEnd();
    }
    return response;
  }

  /** A place on the agent's clock, for so many bytes behind it: 2 GB at most are kept. */
  private int byteOf(long sample, int size) throws TongDaiException {
    if (sample < 0 || sample > heard.size() / 2 + MAX_HOLE || 2 * sample + size > Integer.MAX_VALUE - 8) {
      String message = "the server tells of sample " + sample + " of its sound";
      throw TongDaiException.of(TongDaiException.Kind.SERVER, "INTERNAL", "BAD_SAMPLE", message);
    }
    return (int) (2 * sample);
  }

  private ByteString upTo(int size) {
    return heard.substring(0, Math.min(size, heard.size()));
  }

  private void play(AudioChunk audio) throws TongDaiException, InterruptedException {
    int at = byteOf(audio.getStartSample(), audio.getContent().size());
    ByteString silence = ByteString.copyFrom(new byte[Math.max(0, at - heard.size())]); // nothing was said meanwhile
    heard = upTo(at).concat(silence).concat(audio.getContent());
    if (reportsPlayed) {
      send(ConnectCallRequest.newBuilder().setPlayed(Played.newBuilder().setSample(heard.size() / 2)).build());
    }
  }
}
