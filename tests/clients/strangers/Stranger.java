import dev.tongdai.client.Call;
import dev.tongdai.client.Connection;
import dev.tongdai.client.Conversation;
import dev.tongdai.client.Options;
import dev.tongdai.client.Speech;
import dev.tongdai.client.TongDaiException;
import dev.tongdai.voice.call.v1.CallConfig;
import dev.tongdai.voice.nlu.v1.ConversationConfig;
import dev.tongdai.voice.tts.v1.SynthesisConfig;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;

/** A program of another team's; main.go beside it says what it does. */
public class Stranger {
  public static void main(String[] arguments) throws Exception {
    try (Connection connection = new Connection(Options.of(arguments[1]))) {
      if (arguments[0].equals("hurry")) {
        hurry(connection);
        return;
      }
      if (arguments[0].equals("leave")) {
        leave(connection);
        return;
      }
      if (arguments[0].equals("report")) {
        Call call = Call.open(connection, 8000, CallConfig.getDefaultInstance(), true);
        call.halfClose();
        while (call.next() != null) {
          continue;
        }
        System.out.println("heard " + call.heard().length / 2);
        return;
      }
      Speech speech = Speech.open(connection, 8000, SynthesisConfig.getDefaultInstance());
      boolean gives = arguments[0].equals("cancel");
      if (!gives) {
        System.out.println("open");
        System.in.read();
      }
      speech.say("Hello.", one -> {
        if (gives) {
          speech.close();
        }
      });
    } catch (TongDaiException error) {
      System.out.println(error.kind().name().toLowerCase(Locale.ROOT).replace('_', ' '));
    }
  }

  private static void leave(Connection connection) throws Exception {
    try (Conversation talk = Conversation.open(connection, ConversationConfig.getDefaultInstance())) {
      try {
        talk.say("One.", one -> {
          throw new IllegalStateException("enough");
        });
      } catch (IllegalStateException enough) {
        talk.say("Two.", one -> {});
      }
      talk.finish();
      System.out.println("left");
    }
  }

  private static void hurry(Connection connection) throws Exception {
    AtomicReference<Throwable> wrong = new AtomicReference<>();
    for (int round = 0; round < 100; round++) {
      Call call = Call.open(connection, 8000, CallConfig.getDefaultInstance(), true);
      AtomicBoolean isOver = new AtomicBoolean();
      Thread sender = new Thread(() -> {
        try {
          while (!isOver.get()) {
            call.hangUp();
          }
        } catch (Throwable error) {
          wrong.set(error);
        }
      });
      sender.start();
      Thread.sleep(5);
      call.close();
      call.halfClose();
      isOver.set(true);
      sender.join();
    }
    System.out.println(wrong.get() == null ? "given up" : wrong.get().toString());
  }
}
