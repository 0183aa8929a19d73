package dev.tongdai.client;

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
import java.time.Duration;
import java.util.Arrays;

/** One call through the gateway; the program is the caller. Speak in one thread and take responses in another. */
public final class Call implements AutoCloseable {
  /** Samples of silence that are kept: nine hours at 8 kHz. A server that leaves more has lost its clock. */
  private static final long MAX_HOLE = 1 << 28;

  private final Stream<ConnectCallRequest, ConnectCallResponse> stream;
  private final Outgoing sound;
  private final boolean reportsPlayed;
  private byte[] heard = new byte[0];
  private int heardBytes;
  private CallEnd end;

  private Call(Stream<ConnectCallRequest, ConnectCallResponse> stream, int sampleRateHertz, boolean reportsPlayed) {
    this.stream = stream;
    this.sound = new Outgoing(sampleRateHertz, 0, chunk -> send(ConnectCallRequest.newBuilder().setAudio(chunk).build()));
    this.reportsPlayed = reportsPlayed;
  }

  /**
   * Call the gateway; of {@code config} the audio format is filled in. With {@code reportsPlayed} each chunk is reported as
   * played when it comes, so that the gateway need not take for heard what is still on its way; such a call ends with
   * {@link #hangUp}, for after {@link #halfClose} nothing can be reported.
   */
  public static Call open(Connection connection, int sampleRateHertz, CallConfig config, boolean reportsPlayed)
      throws TongDaiException, InterruptedException {
    CallConfig.Builder whole = config.toBuilder().setAudioFormat(Outgoing.linear16(sampleRateHertz));
    Stream<ConnectCallRequest, ConnectCallResponse> stream =
        Stream.open(connection, (on, to) -> CallGatewayServiceGrpc.newStub(on).withExecutor(Runnable::run).connectCall(to),
            ConnectCallRequest.newBuilder().setConfig(whole).build());
    return new Call(stream, sampleRateHertz, reportsPlayed);
  }

  /** The call as the gateway knows it. */
  public CallInfo info() {
    return stream.first().getCall();
  }

  /** Why the call is over, once it is; else null. */
  public CallEnd end() {
    return end;
  }

  /** The agent's sound from the call's first sample on, 16-bit little-endian, silence included: 58 MB an hour at 8 kHz. */
  public byte[] heard() {
    return Arrays.copyOf(heard, heardBytes);
  }

  /** Send the sound of a file or a microphone up to its end, in frames of 20 ms, no faster than real time. */
  public void speak(InputStream samples) throws IOException, InterruptedException {
    sound.speak(samples, true);
  }

  /** Send a request, such as a key that was pressed. */
  public void send(ConnectCallRequest request) throws InterruptedException {
    stream.send(request);
  }

  /** Say nothing more and listen: the call ends after the reply to what was sent. */
  public void halfClose() {
    stream.halfClose();
  }

  /** Hang up at once. */
  public void hangUp() throws InterruptedException {
    send(ConnectCallRequest.newBuilder().setHangup(Hangup.getDefaultInstance()).build());
  }

  /** Drop the call without a word, if it is still there. */
  @Override
  public void close() {
    stream.close();
  }

  /** The next thing the gateway says; null when the call is over. Call it at all times, from one thread. */
  public ConnectCallResponse next() throws TongDaiException, InterruptedException {
    ConnectCallResponse response = stream.next();
    if (response == null && end == null) {
      throw TongDaiException.unavailable("ENDED_EARLY", "the stream ended before the call did");
    }
    if (response != null && response.hasAudio()) {
      play(response.getAudio());
    } else if (response != null && response.hasAudioDiscard()) {
      heardBytes = (int) Math.min(heardBytes, byteOf(response.getAudioDiscard().getFromSample(), 0));
    } else if (response != null && response.hasEnd()) {
      end = response.getEnd();
    }
    return response;
  }

  /** A place on the agent's clock, for so many bytes behind it: 2 GB at most are kept. */
  private long byteOf(long sample, int size) throws TongDaiException {
    if (sample < 0 || sample > heardBytes / 2 + MAX_HOLE || 2 * sample + size > Integer.MAX_VALUE - 8) {
      String message = "the server tells of sample " + sample + " of its sound";
      throw new TongDaiException(TongDaiException.Kind.SERVER, "INTERNAL", "BAD_SAMPLE", message, "", Duration.ZERO);
    }
    return 2 * sample;
  }

  private void play(AudioChunk audio) throws TongDaiException, InterruptedException {
    int at = (int) byteOf(audio.getStartSample(), audio.getContent().size());
    int size = at + audio.getContent().size();
    if (size > heard.length) {
      heard = Arrays.copyOf(heard, Math.max(size, 2 * heard.length));
    }
    if (at > heardBytes) {
      Arrays.fill(heard, heardBytes, at, (byte) 0); // nothing was said meanwhile
    }
    audio.getContent().copyTo(heard, at);
    heardBytes = size;
    if (reportsPlayed) {
      send(ConnectCallRequest.newBuilder().setPlayed(Played.newBuilder().setSample(size / 2)).build());
    }
  }
}
