"""Proof of a deed in results of foreign tools: one row a shape, half of them successes."""

import json

import pytest

from services.nlu.tools.outcome import is_done
from services.nlu.tools.proof import Proof, proof_in

SUCCESSES = [
    ("book", {"status": "done"}),
    ("book", {"status": "Booked", "id": 77}),
    ("book", {"Status": "CONFIRMED", "Errors": []}),
    ("book", {"success": True, "data": {"id": "a1", "notes": "no pets, not before nine"}}),
    ("book", {"ok": 1}),
    ("book", {"ok": "true", "message": "Appointment created successfully."}),
    ("book", {"code": 200, "msg": "ok"}),
    ("book", {"code": 0, "success": True}),
    ("book", {"statusCode": 201, "body": {"uuid": "7f"}}),
    ("book", {"id": "evt-1", "starts": "2026-12-01T10:00", "deleted": False, "cancelled_at": None}),
    ("book", {"booking": {"bookingId": 4, "state": "reserved"}}),
    ("book", {"booked": "2026-12-01T10:00", "name": "Noah Fail"}),
    ("book", {"result": {"success": True}, "error": None}),
    ("book", {"result": "OK"}),
    ("book", {"data": [{"status": "success", "id": "1"}]}),
    ("book", {"confirmationCode": "7KX92", "code": "7KX92"}),
    ("book", {"id": 9, "address": {"street": "1 Main St", "state": "Texas"}}),
    ("book", {"rows_affected": 1}),
    ("book", {"text": '{"success": true, "id": 5}'}),
    ("book", {"text": "Your appointment is confirmed."}),
    ("dat_lich", {"text": "Đã đặt lịch thành công."}),
    ("book", {"text": "Запись успешно создана"}),
    ("book", {"message": "预约成功"}),
    ("cancel_booking", {"status": "cancelled"}),
    ("bookings_delete", {"deleted": True}),
    ("huy_lich", {"deleted": 1, "message": "Đã hủy lịch"}),
    ("book", {"id": 3, "default_location": "front desk", "error_count": 0, "paid": False}),
]
NO_PROOF = [
    ("book", {}),
    ("book", []),
    ("book", "done"),
    ("book", 7),
    ("book", None),
    ("book", {"status": "Failed", "id": 3}),
    ("book", {"status": "not booked"}),
    ("book", {"status": "unsuccessful"}),
    ("book", {"status": "IN_PROGRESS", "id": "a"}),
    ("book", {"status": "waitListed"}),
    ("book", {"status": "тест"}),
    ("book", {"status": 202, "id": "a"}),
    ("book", {"status": None}),
    ("book", {"state": ["failed"]}),
    ("book", {"success": "false"}),
    ("book", {"ok": 0}),
    ("book", {"ok": "no", "id": 1}),
    ("book", {"booked": False, "reason": "the day is over"}),
    ("book", {"isBooked": False, "id": 1}),
    ("book", {"code": 500}),
    ("book", {"code": "INVALID_DATA", "id": 8}),
    ("book", {"http_status": "409", "id": 8}),
    ("book", {"errorMessage": "x", "success": True}),
    ("book", {"id": 1, "fault": {"faultstring": "x"}}),
    ("book", {"result": {"success": False}}),
    ("book", {"result": {"data": [{"id": 1, "outcome": "refused"}]}}),
    ("book", {"result": []}),
    ("book", {"id": None}),
    ("book", {"request_id": "r-1"}),
    ("book", {"customer_id": 7}),
    ("book", {"success": True, "message": "Nothing was booked, the slot is taken."}),
    ("book", {"id": 4, "payment_required": True}),
    ("book", {"id": 4, "pending": True}),
    ("book", {"text": "<html>502 Bad Gateway</html>"}),
    ("book", {"text": '{"success": false}'}),
    ("book", {"text": "We couldn't book it."}),
    ("book", {"text": "Không đặt được lịch"}),
    ("book", {"text": "Не удалось записать"}),
    ("book", {"message": "预约失败"}),
    ("book", {"status": "cancelled", "id": 1}),
    ("book", {"id": 1, "deleted": True}),
    ("cancel_booking", {"deleted": 0}),
    ("cancel_booking", {"status": "booked", "cancelled": False}),
    ("book", {"id": 1, "items": [{"id": n} for n in range(5000)]}),
    ("book", {"a": "x" * 1_000_000}),
    ("book", {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"id": 1}}}}}}}}}),
]


@pytest.mark.parametrize(("tool", "result"), SUCCESSES)
def test_a_success_is_told_as_done(tool: str, result: object) -> None:
    assert is_done(json.dumps(result), tool=tool)
    assert proof_in(result, tool=tool, is_answered=True) is Proof.DONE


@pytest.mark.parametrize(("tool", "result"), NO_PROOF)
def test_what_says_otherwise_or_nothing_is_not_told_as_done(tool: str, result: object) -> None:
    assert not is_done(json.dumps(result), tool=tool)


UNSAID = ["done", {"a": "x" * 1_000_000}, {"customer_id": 7}, {"request_id": "r-1"}]  # nothing in them says otherwise


@pytest.mark.parametrize(("tool", "result"), [row for row in NO_PROOF if row[1] not in UNSAID])
def test_a_status_of_success_does_not_outweigh_what_the_answer_says(tool: str, result: object) -> None:
    assert proof_in(result, tool=tool, is_answered=True) is not Proof.DONE
    assert not is_done(json.dumps({"status": "done", "result": result}), tool=tool)


def test_an_object_of_an_answered_request_proves_the_deed_where_nothing_says_otherwise() -> None:
    assert proof_in({"starts": "2026-12-01T10:00", "room": "double"}, is_answered=True) is Proof.DONE
    assert proof_in({"starts": "2026-12-01T10:00", "room": "double"}) is Proof.UNKNOWN


@pytest.mark.parametrize(
    ("cut", "is_proof"),
    [
        ({"cut": "too long", "result": {"status": "done", "result": {"id": 1}}}, True),
        ({"cut": "too long", "result": {"id": 1, "a": "b", "...": "9 more"}}, False),
        ({"cut": "too long", "beginning": '{"status": "done"'}, False),
    ],
)
def test_what_was_cut_proves_a_deed_only_with_all_its_fields(cut: object, *, is_proof: bool) -> None:
    assert is_done(json.dumps(cut)) is is_proof
