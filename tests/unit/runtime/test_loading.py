import errno
import ssl

import pytest

from services.runtime.errors import EngineFailed, NotServing, StartupError
from services.runtime.loading import first_to_pass, load_failure, loading, may_pass


def caused(error: Exception, cause: Exception) -> Exception:
    try:
        raise error from cause
    except type(error) as raised:
        return raised


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.EMFILE, "Too many open files"),
        ConnectionResetError("it has ended"),
        TimeoutError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : bad allocation"),
        OSError("503 Server Error: Service Unavailable for url: https://hub.example/voice"),
        OSError("429 Client Error: Too Many Requests for url: https://hub.example/voice"),
        RuntimeError("All connection attempts failed"),
        RuntimeError("Server disconnected without sending a response."),
        OSError("We couldn't connect to 'https://hub.example' to load the files"),
        caused(EngineFailed("espeak-ng's process failed: it has ended"), ConnectionResetError("it has ended")),
        caused(ValueError("the archive cannot be unpacked"), OSError(errno.ENOSPC, "No space left on device")),
    ],
    ids=str,
)
def test_what_may_pass_ends_the_start_and_is_tried_again(error: Exception) -> None:
    assert may_pass(error)
    failure = load_failure("TTS_VOICE=voice.onnx", error)
    assert not isinstance(failure, NotServing)
    assert str(failure).startswith("TTS_VOICE=voice.onnx cannot be loaded now: ")


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "voice.onnx"),
        PermissionError(errno.EACCES, "Permission denied", "voice.onnx"),
        IsADirectoryError(errno.EISDIR, "Is a directory", "voice.onnx"),
        OSError(errno.EROFS, "Read-only file system", "/cache"),
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        RuntimeError("CUDA error: invalid device ordinal"),
        OSError("404 Client Error: Not Found for url: https://hub.example/voice"),
        OSError("voice is not a local folder and is not a valid model identifier"),
        ssl.SSLError(136, "[X509: NO_CERTIFICATE_OR_CRL_FOUND] no certificate or crl found"),
        KeyError("vocab"),
        ValueError("cannot reshape array of size 8 into shape (3,)"),
        RuntimeError('Missing key(s) in state_dict: "skip_connection.weight", "timeout.bias"'),
        EOFError("Ran out of input"),
        caused(ValueError("no voice"), KeyError("vocab")),
    ],
    ids=str,
)
def test_what_a_file_or_a_setting_is_stays_so_until_a_person_mends_it(error: Exception) -> None:
    assert not may_pass(error)
    assert isinstance(load_failure("TTS_VOICE=voice.onnx", error), NotServing)


def test_a_failure_to_load_is_one_line_of_bounded_length() -> None:
    line = str(load_failure("NLU_MODEL=a.gguf", RuntimeError("many\nlines\n" * 500)))
    assert "\n" not in line
    assert len(line) < 400


def test_a_reason_that_was_given_already_stays() -> None:
    given = NotServing("the voice has many speakers")
    with pytest.raises(NotServing) as raised, loading("TTS_VOICE"):
        raise given
    assert raised.value is given


def test_of_several_failures_one_that_may_pass_decides() -> None:
    lasting, passing = NotServing("a broken file"), StartupError("a full disk")
    assert first_to_pass([lasting, passing]) is passing
    assert first_to_pass([lasting, NotServing("another")]) is lasting
