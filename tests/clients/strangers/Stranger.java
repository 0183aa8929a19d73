import dev.tongdai.client.Call;
import dev.tongdai.client.Connection;
import dev.tongdai.client.Options;
import dev.tongdai.client.Speech;
import dev.tongdai.client.TongDaiException;
import dev.tongdai.voice.call.v1.CallConfig;
import dev.tongdai.voice.tts.v1.SynthesisConfig;
import java.util.Locale;

/** A program of another team's; main.go beside it says what it does. */
public class Stranger {
  public static void main(String[] arguments) throws Exception {
    try (Connection connection = new Connection(Options.of(arguments[1]))) {
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
}
