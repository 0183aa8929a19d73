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
import dev.tongdai.voice.type.v1.EngineInfo;
import dev.tongdai.voice.type.v1.TurnEnd;
import java.util.List;
import java.util.function.Consumer;

/** A conversation. It reports replies as heard, and goes on with history and state where the server asks for it. */
public final class Conversation extends Turns<StreamingConverseRequest, StreamingConverseResponse> {
  /** History and state handed to a fresh stream; servers take 16 KiB, the oldest turns go first. */
  private static final int MAX_HISTORY_BYTES = 12 * 1024;

  private final ConversationConfig.Builder config;
  private TurnEnd end;

  private Conversation(Connection connection, ConversationConfig.Builder config)
      throws TongDaiException, InterruptedException {
    super(
        () -> Stream.open(connection, Stream::new, NluServiceGrpc.getStreamingConverseMethod(),
            StreamingConverseRequest.newBuilder().setConfig(config).build()),
        turn -> StreamingConverseRequest.newBuilder().setCancellation(turn).build());
    this.config = config;
  }

  /** Open a conversation. */
  public static Conversation open(Connection connection, ConversationConfig config)
      throws TongDaiException, InterruptedException {
    return new Conversation(connection, config.toBuilder());
  }

  /** Who answers. */
  public EngineInfo engine() {
    return stream.first.getEngine().getEngine();
  }

  /** Who the agent is. */
  public AgentProfile agent() {
    return stream.first.getEngine().getAgent();
  }

  /** Hand over the agent's greeting, as {@link #say} does a reply. */
  public void greet(Consumer<StreamingConverseResponse> onResponse) throws TongDaiException, InterruptedException {
    converse(UserTurn.newBuilder().setOpen(Open.getDefaultInstance()), onResponse);
  }

  /**
   * Say something and hand over the clauses, tools and acts of the reply, up to its end. Blocks. A turn that fails is a
   * TongDaiException with the code FAILED.
   */
  public void say(String text, Consumer<StreamingConverseResponse> onResponse)
      throws TongDaiException, InterruptedException {
    converse(UserTurn.newBuilder().setText(text), onResponse);
  }

  private void converse(UserTurn.Builder turn, Consumer<StreamingConverseResponse> onResponse)
      throws TongDaiException, InterruptedException {
    StringBuilder reply = new StringBuilder();
    end = TurnEnd.getDefaultInstance();
    try {
      turn(id -> List.of(StreamingConverseRequest.newBuilder().setUserTurn(turn.setTurnId(id)).build()), response -> {
        reply.append(response.getReplyText().getText());
        end = response.getTurnEnd();
        onResponse.accept(response);
      });
    } finally {
      takeEnd(turn, reply); // also of a turn that failed in its midst, or was left
    }
  }

  private void takeEnd(UserTurn.Builder turn, StringBuilder reply) {
    if (!end.getState().isEmpty()) {
      config.setState(end.getState());
    }
    if (turn.getTurnId() == 0 || (end.getOutcome() == TurnEnd.Outcome.OUTCOME_FAILED && reply.isEmpty())) {
      return; // it did not begin; or nothing was heard, and what was said may be what cannot be taken
    }
    HistoryTurn.Builder heard = HistoryTurn.newBuilder().setTurnId(turn.getTurnId()).setUserText(turn.getText());
    config.addHistory(heard.setHeardText(reply.toString()));
    while (config.getHistoryCount() > 0 && config.build().getSerializedSize() > MAX_HISTORY_BYTES) {
      config.removeHistory(0);
    }
    int offset = reply.codePointCount(0, reply.length());
    PlayoutReport.Builder report =
        PlayoutReport.newBuilder().setTurnId(turn.getTurnId()).setHeardOffset(offset).setIsFinal(true);
    stream.put(StreamingConverseRequest.newBuilder().setPlayoutReport(report).build());
  }
}
