package dev.tongdai.client.programs;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What a command line says: flags with a value, flags without, and operands, in any order. */
final class Given {
  /** A command line that cannot be read; the message says why. */
  static final class UsageException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
      super(message);
    }
  }

  private final Map<String, String> values;
  private final List<String> operands = new ArrayList<>();

  /**
   * Read a command line.
   *
   * @param defaults the flags that take a value
   * @param switches the flags that take none
   */
  Given(List<String> arguments, Map<String, String> defaults, List<String> switches) {
    values = new HashMap<>(defaults);
    for (int at = 0; at < arguments.size(); at++) {
      String argument = arguments.get(at);
      if (!argument.startsWith("--")) {
        operands.add(argument);
        continue;
      }
      String[] parts = argument.substring(2).split("=", 2);
      if (switches.contains(parts[0]) && parts.length == 1) {
        values.put(parts[0], "true");
      } else if (!defaults.containsKey(parts[0])) {
        throw new UsageException("unknown flag: " + argument);
      } else if (parts.length == 2) {
        values.put(parts[0], parts[1]);
      } else if (++at < arguments.size()) {
        values.put(parts[0], arguments.get(at));
      } else {
        throw new UsageException("needs a value: " + argument);
      }
    }
  }

  String text(String flag) {
    return values.getOrDefault(flag, "");
  }

  double number(String flag) {
    try {
      return Double.parseDouble(text(flag));
    } catch (NumberFormatException wrong) {
      throw new UsageException("--" + flag + " is a number");
    }
  }

  boolean is(String flag) {
    return text(flag).equals("true");
  }

  List<String> languages() {
    return Arrays.stream(text("language").split(",")).filter(tag -> !tag.isEmpty()).toList();
  }

  List<String> operands() {
    return operands;
  }
}
