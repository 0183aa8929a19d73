package dev.tongdai.client;

import com.google.protobuf.ByteString;
import dev.tongdai.voice.call.v1.CallConfig;
import dev.tongdai.voice.call.v1.CallEnd;
import dev.tongdai.voice.call.v1.CallGatewayServiceGrpc;
import dev.tongdai.voice.call.v1.CallInfo;
import dev.tongdai.voice.call.v1.ConnectCallRequest;
import dev.tongdai.voice.call.v1.ConnectCallResponse;
import dev.tongdai.voice.call.v1.Dtmf;
import dev.tongdai.voice.call.v1.Hangup;
import dev.tongdai.voice.call.v1.Played;
import dev.tongdai.voice.call.v1.WatchCallsRequest;
import dev.tongdai.voice.call.v1.WatchCallsResponse;
import dev.tongdai.voice.type.v1.AudioChunk;
import io.grpc.Channel;
import io.grpc.StatusRuntimeException;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;

/**
 * One call through the gateway; the program is the caller. Sound is 16-bit PCM, little-endian, and goes out paced in frames
 * of 20 ms. Speak in one thread and take responses in another.
 */
public final class Call implements AutoCloseable {
  private final Stream<ConnectCallRequest, ConnectCallResponse> stream;
  private final int sampleRateHertz;
  private final boolean reportsPlayed;
  private byte[] heard = new byte[0];
  private int heardBytes;
  private long nextSample;
  private CallEnd end;

  private Call(
      Stream<ConnectCallRequest, ConnectCallResponse> stream, int sampleRateHertz, boolean reportsPlayed) {
    this.stream = stream;
    this.sampleRateHertz = sampleRateHertz;
    this.reportsPlayed = reportsPlayed;
  }

  /**
   * Call the gateway; of {@code config} the audio format is filled in. With {@code reportsPlayed} each chunk is reported as
   * played when it comes, so that the gateway need not take for heard what is still on its way; such a call ends with
   * {@link #hangUp}, for after {@link #halfClose} nothing can be reported.
   */
  public static Call open(Connection connection, int sampleRateHertz, CallConfig config, boolean reportsPlayed)
      throws TongDaiException, InterruptedException {
    CallConfig whole = config.toBuilder().setAudioFormat(Sound.linear16(sampleRateHertz)).build();
    ConnectCallRequest request = ConnectCallRequest.newBuilder().setConfig(whole).build();
    return new Call(
        connection.open((on, observer) -> CallGatewayServiceGrpc.newStub(on).connectCall(observer), request),
        sampleRateHertz,
        reportsPlayed);
  }

  /** The call as the gateway knows it. */
  public CallInfo info() {
    return stream.first().getCall();
  }

  /** Why the call is over, once it is; else null. */
  public CallEnd end() {
    return end;
  }

  /** The agent's sound from the call's first sample on, silence included. */
  public byte[] heard() {
    return Arrays.copyOf(heard, heardBytes);
  }

  /** Send samples in real time; a last frame that is not full is filled with silence. */
  public void speak(byte[] samples) throws InterruptedException {
    int size = Sound.frameBytes(sampleRateHertz);
    long began = System.nanoTime();
    for (int at = 0; at < samples.length; at += size) {
      Sound.waitForFrame(began, at / size);
      sendFrame(Arrays.copyOfRange(samples, at, at + size));
    }
  }

  /** Send silence in real time until {@code isOver} says so, or so many milliseconds have passed. */
  public void speakSilence(BooleanSupplier isOver, long limitMs) throws InterruptedException {
    byte[] frame = new byte[Sound.frameBytes(sampleRateHertz)];
    long began = System.nanoTime();
    for (long number = 0; number * 20 < limitMs && !isOver.getAsBoolean(); number++) {
      Sound.waitForFrame(began, number);
      sendFrame(frame);
    }
  }

  private void sendFrame(byte[] frame) {
    AudioChunk.Builder chunk = AudioChunk.newBuilder().setStartSample(nextSample).setContent(ByteString.copyFrom(frame));
    nextSample += frame.length / 2;
    stream.send(ConnectCallRequest.newBuilder().setAudio(chunk).build());
  }

  /** Press a key: 0-9, A-D, * or #. */
  public void press(String digit) {
    stream.send(ConnectCallRequest.newBuilder().setDtmf(Dtmf.newBuilder().setDigit(digit)).build());
  }

  /** Say nothing more and listen: the call ends after the reply to what was sent. */
  public void halfClose() {
    stream.halfClose();
  }

  /** Hang up. */
  public void hangUp() {
    stream.send(ConnectCallRequest.newBuilder().setHangup(Hangup.getDefaultInstance()).build());
  }

  /** Drop the call without a word, if it is still there. */
  @Override
  public void close() {
    stream.cancel();
  }

  /** The next thing the gateway says; null when the call is over. Call it at all times, from one thread. */
  public ConnectCallResponse next() throws TongDaiException, InterruptedException {
    ConnectCallResponse response = stream.next();
    if (response == null) {
      if (end == null) {
        throw TongDaiException.unavailable("ENDED_EARLY", "the stream ended before the call did");
      }
      return null;
    }
    switch (response.getResponseCase()) {
      case AUDIO -> play(response.getAudio());
      case AUDIO_DISCARD -> heardBytes = (int) Math.min(heardBytes, 2 * response.getAudioDiscard().getFromSample());
      case END -> end = response.getEnd();
      default -> {
        // the caller of this method knows what to do with it
      }
    }
    return response;
  }

  private void play(AudioChunk audio) {
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
      stream.send(ConnectCallRequest.newBuilder().setPlayed(Played.newBuilder().setSample(size / 2)).build());
    }
  }

  /**
   * Hand over what happens on one call, or on all with an empty id, from now on, until {@code onEvent} returns false. Before
   * the first event the other replicas are tried. Blocks.
   */
  public static void watch(Connection connection, String callId, Predicate<WatchCallsResponse> onEvent)
      throws TongDaiException {
    WatchCallsRequest request = WatchCallsRequest.newBuilder().setCallId(callId).build();
    List<Channel> channels = connection.channels();
    for (Channel channel : channels) {
      boolean hasBegun = false;
      try {
        Iterator<WatchCallsResponse> events =
            CallGatewayServiceGrpc.newBlockingStub(channel).watchCalls(request);
        while (events.hasNext()) {
          hasBegun = true;
          if (!onEvent.test(events.next())) {
            return;
          }
        }
        return;
      } catch (StatusRuntimeException thrown) {
        TongDaiException error = TongDaiException.of(thrown);
        if (hasBegun || channel == channels.get(channels.size() - 1) || !error.isElsewhereWorthwhile()) {
          throw error;
        }
      }
    }
  }
}
