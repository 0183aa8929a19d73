package dev.tongdai.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.io.Serial;
import java.time.Duration;
import java.util.List;

/** A stream or a turn that failed: its status with the google.rpc details. The kind says what the caller can do. */
public final class TongDaiException extends Exception {
  @Serial private static final long serialVersionUID = 1L;

  /** What a caller can do about it (protos/README.md, Statuses). */
  public enum Kind {
    /** INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED without RetryInfo: mend the request; no retry helps. */
    BAD_REQUEST,
    /** UNAUTHENTICATED, PERMISSION_DENIED: another token, tenant or scope is needed. */
    TOKEN,
    /** RESOURCE_EXHAUSTED with RetryInfo: full. Another replica, or a wait of {@link #retryDelay}, may help. */
    CAPACITY,
    /** UNAVAILABLE: loading, draining, gone, or the connection broke. Another replica may serve. */
    UNAVAILABLE,
    /** CANCELLED, DEADLINE_EXCEEDED: this client gave the stream up, or has waited as long as it wanted to. */
    GIVEN_UP,
    /** Everything else: the server failed. The turn may be tried once more on a fresh stream. */
    SERVER
  }

  private final Kind kind;
  private final String code;
  private final String reason;
  private final String field;
  private final Duration retryDelay;

  private TongDaiException(Kind kind, String code, String reason, String message, String field, Duration retryDelay) {
    super(message);
    this.kind = kind;
    this.code = code;
    this.reason = reason;
    this.field = field;
    this.retryDelay = retryDelay;
  }

  /** The typed error of whatever a call threw. */
  public static TongDaiException of(Throwable thrown) {
    if (thrown instanceof TongDaiException known) {
      return known;
    }
    Status status = Status.fromThrowable(thrown);
    String reason = detail(thrown, ErrorInfo.getDefaultInstance()).getReason();
    var violations = detail(thrown, BadRequest.getDefaultInstance()).getFieldViolationsList();
    String field = violations.isEmpty() ? "" : violations.get(0).getField();
    var wait = detail(thrown, RetryInfo.getDefaultInstance()).getRetryDelay();
    Duration delay = Duration.ofSeconds(wait.getSeconds(), wait.getNanos());
    if (isOfTransport(status)) {
      status = Status.UNAVAILABLE.withDescription(status.getDescription()).withCause(status.getCause());
    }
    Kind kind =
        switch (status.getCode()) {
          case INVALID_ARGUMENT, NOT_FOUND -> Kind.BAD_REQUEST;
          case RESOURCE_EXHAUSTED -> delay.isZero() ? Kind.BAD_REQUEST : Kind.CAPACITY;
          case UNAUTHENTICATED, PERMISSION_DENIED -> Kind.TOKEN;
          case UNAVAILABLE -> Kind.UNAVAILABLE;
          case DEADLINE_EXCEEDED -> Kind.GIVEN_UP;
          default -> Kind.SERVER;
        };
    String said = status.getDescription() == null ? "" : status.getDescription();
    String cause = status.getCause() == null ? "" : ": " + status.getCause().getMessage();
    return new TongDaiException(kind, status.getCode().name(), reason, said + cause, field, delay);
  }

  /** The detail of that type in a status; an empty one where there is none, or it is torn. */
  private static <T extends Message> T detail(Throwable thrown, T empty) {
    com.google.rpc.Status status = StatusProto.fromThrowable(thrown);
    try {
      for (Any detail : status == null ? List.<Any>of() : status.getDetailsList()) {
        if (detail.isSameTypeAs(empty)) {
          return detail.unpackSameTypeAs(empty);
        }
      }
    } catch (InvalidProtocolBufferException torn) {
      return empty; // a client lives with a status without details
    }
    return empty;
  }

  /** Whether no server has said so: it speaks no HTTP/2, or what came of it was torn. A server's status has no cause. */
  private static boolean isOfTransport(Status status) {
    Throwable cause = status.getCause();
    return status.getCode() == Status.Code.INTERNAL && cause != null && cause.getClass().getName().contains("Http2");
  }

  static TongDaiException unavailable(String reason, String message) {
    return of(Kind.UNAVAILABLE, "UNAVAILABLE", reason, message);
  }

  /** What this client found by itself. */
  static TongDaiException of(Kind kind, String code, String reason, String message) {
    return new TongDaiException(kind, code, reason, message, "", Duration.ZERO);
  }

  /** A turn that failed; its code is FAILED. */
  public static TongDaiException failed(String reason, String message, Duration retryDelay) {
    return new TongDaiException(Kind.SERVER, "FAILED", reason, message, "", retryDelay);
  }

  /** What the caller can do. */
  public Kind kind() {
    return kind;
  }

  /** The name of the gRPC code, or FAILED of a turn. */
  public String code() {
    return code;
  }

  /** UPPER_SNAKE_CASE; empty where the server gave none. */
  public String reason() {
    return reason;
  }

  /** The path of the field at fault, as in "config.voice". */
  public String field() {
    return field;
  }

  /** How long to wait before another try; zero: not said. */
  public Duration retryDelay() {
    return retryDelay;
  }

  /** Code and reason: the same in every language. */
  public String summary() {
    return (code + " " + reason).trim();
  }

  /** Whether another replica may serve. */
  public boolean isElsewhereWorthwhile() {
    return kind == Kind.CAPACITY || kind == Kind.UNAVAILABLE;
  }
}
