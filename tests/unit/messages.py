"""Messages and deliveries for unit tests: only what a test names differs from the usual one."""

from typing import Final

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, ClientId, LaneName, OperatorName, RouterId
from router.terms.plan import Plan, Plans
from router.terms.states import QUEUE

BANK: Final = AccountName("bank")
SHOP: Final = AccountName("shop")
OTP, ALERT, BULK = LaneName("otp"), LaneName("alert"), LaneName("bulk")
TELIA: Final = OperatorName("telia")
ELISA: Final = OperatorName("elisa")
PLANS: Final = Plans()
TO_TELIA: Final = PLANS.of((TELIA,))
TO_ELISA: Final = PLANS.of((ELISA, TELIA))
ACCEPTED_UTC: Final = 1_800_000_000.0
"""2027-01-15 08:00:00."""


def message(
    number: int = 100,
    *,
    destination: bytes = b"37255512345",
    registered_delivery: int = 1,
    account: AccountName = BANK,
    lane: LaneName = OTP,
    plan: Plan = TO_TELIA,
) -> Message:
    """A message that has just been accepted."""
    return Message(
        router_id=RouterId(number),
        client_id=ClientId(b"%d" % number),
        account=account,
        lane=lane,
        plan=plan,
        command_id=v.SUBMIT_SM,
        octets=p.sm(
            v.SUBMIT_SM,
            0,
            source=(5, 0, b"BANK"),
            destination=(1, 1, destination),
            short_message=b"Tere",
        ),
        source_octets=p.address(5, 0, b"BANK"),
        destination_octets=p.address(1, 1, destination),
        registered_delivery=registered_delivery,
        accepted_at=0.0,
        accepted_utc=ACCEPTED_UTC,
        expires_utc=float("inf"),
    )


def delivery(
    number: int = 100,
    text: bytes = b"",
    *,
    made_utc: float = ACCEPTED_UTC,
    not_before: float = 0.0,
    tlvs: bytes = b"",
    final: bool = True,
    account: AccountName = BANK,
) -> Delivery:
    """A deliver_sm about message `number`; without a text it says that number."""
    return Delivery(
        router_id=RouterId(number),
        account=account,
        octets=p.sm(
            v.DELIVER_SM,
            0,
            source=(1, 1, b"37255512345"),
            destination=(5, 0, b"BANK"),
            short_message=text or b"%d" % number,
            tlvs=tlvs,
        ),
        made_utc=made_utc,
        not_before=not_before,
        final=final,
    )


def pulled(one: Message) -> Message:
    """The message as an operator has pulled it from its lane."""
    one.enter(QUEUE)
    return one


def values(one: object) -> dict[str, object]:
    """What the slots of an object hold, to be compared with those of another."""
    slots: tuple[str, ...] = vars(type(one))["__slots__"]
    return {name: getattr(one, name) for name in slots}
