package dev.tongdai.client;

import dev.tongdai.voice.nlu.v1.AgentProfile;
import dev.tongdai.voice.nlu.v1.ConversationConfig;
import dev.tongdai.voice.nlu.v1.HistoryTurn;
import dev.tongdai.voice.nlu.v1.NluServiceGrpc;
import dev.tongdai.voice.nlu.v1.Open;
import dev.tongdai.voice.nlu.v1.PlayoutReport;
import dev.tongdai.voice.nlu.v1.StreamingConverseRequest;
import dev.tongdai.voice.nlu.v1.StreamingConverseResponse;
import dev.tongdai.voice.nlu.v1.UserTurn;
import dev.tongdai.voice.type.v1.Cancellation;
import dev.tongdai.voice.type.v1.EngineInfo;
import dev.tongdai.voice.type.v1.TurnEnd;
import java.util.function.Consumer;

/**
 * A conversation with the agent, turn by turn. It counts turns, reports replies as heard, keeps history and state, and goes
 * on elsewhere where the server asks for it or a turn failed in a way that a fresh stream may mend.
 */
public final class Conversation implements AutoCloseable {
  /** History and state handed to a fresh stream; servers take 16 KiB, the oldest turns go first. */
  private static final int MAX_HISTORY_BYTES = 12 * 1024;

  private final Connection connection;
  private final ConversationConfig.Builder config;
  private Stream<StreamingConverseRequest, StreamingConverseResponse> stream;
  private long turnId;
  private volatile long fencedThrough;
  private boolean isServerLeaving;

  private Conversation(Connection connection, ConversationConfig config) throws TongDaiException, InterruptedException {
    this.connection = connection;
    this.config = config.toBuilder();
    openAfresh();
  }

  /** Open a conversation. */
  public static Conversation open(Connection connection, ConversationConfig config)
      throws TongDaiException, InterruptedException {
    return new Conversation(connection, config);
  }

  private void openAfresh() throws TongDaiException, InterruptedException {
    close();
    isServerLeaving = false;
    StreamingConverseRequest request = StreamingConverseRequest.newBuilder().setConfig(config).build();
    stream = connection.open((on, observer) -> NluServiceGrpc.newStub(on).streamingConverse(observer), request);
  }

  /** Who answers. */
  public EngineInfo engine() {
    return stream.first().getEngine().getEngine();
  }

  /** Who the agent is. */
  public AgentProfile agent() {
    return stream.first().getEngine().getAgent();
  }

  /** Hand over the agent's greeting, as {@link #say} does a reply. */
  public void greet(Consumer<StreamingConverseResponse> onResponse) throws TongDaiException, InterruptedException {
    turn(UserTurn.newBuilder().setOpen(Open.getDefaultInstance()), onResponse);
  }

  /**
   * Say something and hand over the clauses, tools and acts of the reply, up to its end. Blocks. A turn that fails is a
   * TongDaiException with the code FAILED.
   */
  public void say(String text, Consumer<StreamingConverseResponse> onResponse)
      throws TongDaiException, InterruptedException {
    turn(UserTurn.newBuilder().setText(text), onResponse);
  }

  /** Stop the reply; the turn still gets its end. */
  public void cancelTurn() {
    fencedThrough = turnId;
    Cancellation.Builder cancellation = Cancellation.newBuilder().setTurnId(turnId);
    stream.send(StreamingConverseRequest.newBuilder().setCancellation(cancellation).build());
  }

  /** End the stream in good order. */
  public void finish() throws TongDaiException, InterruptedException {
    stream.finish();
  }

  /** Give the stream up, if it is still there. */
  @Override
  public void close() {
    if (stream != null) {
      stream.cancel();
    }
  }

  private void turn(UserTurn.Builder turn, Consumer<StreamingConverseResponse> onResponse)
      throws TongDaiException, InterruptedException {
    turn.setTurnId(++turnId);
    if (isServerLeaving) {
      openAfresh();
    }
    if (!attempt(turn, true, onResponse)) {
      openAfresh();
      attempt(turn, false, onResponse);
    }
  }

  /** False: the turn failed before it did or said anything, and may be tried again. */
  private boolean attempt(UserTurn.Builder turn, boolean mayRetry, Consumer<StreamingConverseResponse> onResponse)
      throws TongDaiException, InterruptedException {
    stream.send(StreamingConverseRequest.newBuilder().setUserTurn(turn).build());
    StringBuilder reply = new StringBuilder();
    boolean hasActed = false;
    StreamingConverseResponse response;
    while ((response = stream.next()) != null) {
      switch (response.getResponseCase()) {
        case GOING_AWAY -> isServerLeaving = true;
        case REPLY_TEXT -> {
          if (response.getReplyText().getTurnId() > fencedThrough) {
            reply.append(response.getReplyText().getText());
            onResponse.accept(response);
          }
        }
        case TOOL_ACTIVITY, CALL_ACTION -> {
          hasActed = true;
          onResponse.accept(response);
        }
        case EXPECTATION -> onResponse.accept(response);
        case TURN_END -> {
          TurnEnd end = response.getTurnEnd();
          if (end.getTurnId() == turn.getTurnId()) {
            boolean hasFailed = end.getOutcome() == TurnEnd.Outcome.OUTCOME_FAILED;
            if (hasFailed && end.getIsRetryable() && mayRetry && reply.isEmpty() && !hasActed) {
              return false;
            }
            onResponse.accept(response);
            if (hasFailed) {
              throw TongDaiException.failed(end);
            }
            takeEnd(turn.getText(), reply.toString(), end);
            return true;
          }
        }
        default -> {
          // a kind of a later version
        }
      }
    }
    throw TongDaiException.unavailable("ENDED_EARLY", "the stream ended in the middle of a turn");
  }

  private void takeEnd(String text, String reply, TurnEnd end) {
    if (!end.getState().isEmpty()) {
      config.setState(end.getState());
    }
    config.addHistory(HistoryTurn.newBuilder().setTurnId(end.getTurnId()).setUserText(text).setHeardText(reply));
    while (config.getHistoryCount() > 0 && historyBytes() > MAX_HISTORY_BYTES) {
      config.removeHistory(0);
    }
    int codePoints = reply.codePointCount(0, reply.length());
    PlayoutReport.Builder report =
        PlayoutReport.newBuilder().setTurnId(end.getTurnId()).setHeardOffset(codePoints).setIsFinal(true);
    stream.send(StreamingConverseRequest.newBuilder().setPlayoutReport(report).build());
  }

  private int historyBytes() {
    return config.getState().size()
        + config.getHistoryList().stream().mapToInt(HistoryTurn::getSerializedSize).sum();
  }
}
