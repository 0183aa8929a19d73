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
import java.util.Arrays;

/** One call through the gateway; the program is the caller. Speak in one thread and take responses in another. */
public final class Call implements AutoCloseable {
  private final Stream<ConnectCallRequest, ConnectCallResponse> stream;
  private final Outgoing sound;
  private final boolean reportsPlayed;
  private byte[] heard = new byte[0];
  private int heardBytes;
  private CallEnd end;

  private Call(Stream<ConnectCallRequest, ConnectCallResponse> stream, int sampleRateHertz, boolean reportsPlayed) {
    this.stream = stream;
    this.sound =
        new Outgoing(
            sampleRateHertz, 0, chunk -> stream.send(ConnectCallRequest.newBuilder().setAudio(chunk).build()));
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
        Stream.open(
            connection,
            (on, to) -> CallGatewayServiceGrpc.newStub(on).withExecutor(Runnable::run).connectCall(to),
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

  /** The agent's sound from the call's first sample on, 16-bit little-endian, silence included. */
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
      heardBytes = (int) Math.min(heardBytes, 2 * response.getAudioDiscard().getFromSample());
    } else if (response != null && response.hasEnd()) {
      end = response.getEnd();
    }
    return response;
  }

  private void play(AudioChunk audio) throws InterruptedException {
    int at = (int) (2 * audio.getStartSample());
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
