"""The words of SMPP: commands, statuses, TLV tags, as aiosmpplib and the specification have them.

aiosmpplib's enumerations name what they know; the router itself works on plain ints, because peers
send statuses, commands and TLVs that no list has, and none of them may end a session.

Source: SMPP v3.4, 5.1.2 (commands), 5.1.3 (statuses), 5.3.2 (TLVs); SMPP v5.0 for what 3.4 lacks.
"""

from typing import Final

from aiosmpplib import SmppCommand as Command
from aiosmpplib import SmppCommandStatus as Status

RESPONSE: Final = 0x80000000
"""The bit that makes a command_id a response."""

GENERIC_NACK: Final = int(Command.GENERIC_NACK)
BIND_RECEIVER: Final = int(Command.BIND_RECEIVER)
BIND_TRANSMITTER: Final = int(Command.BIND_TRANSMITTER)
BIND_TRANSCEIVER: Final = int(Command.BIND_TRANSCEIVER)
OUTBIND: Final = int(Command.OUTBIND)
UNBIND: Final = int(Command.UNBIND)
UNBIND_RESP: Final = int(Command.UNBIND_RESP)
ENQUIRE_LINK: Final = int(Command.ENQUIRE_LINK)
ENQUIRE_LINK_RESP: Final = int(Command.ENQUIRE_LINK_RESP)
SUBMIT_SM: Final = int(Command.SUBMIT_SM)
SUBMIT_SM_RESP: Final = int(Command.SUBMIT_SM_RESP)
DELIVER_SM: Final = int(Command.DELIVER_SM)
DELIVER_SM_RESP: Final = int(Command.DELIVER_SM_RESP)
DATA_SM: Final = int(Command.DATA_SM)
DATA_SM_RESP: Final = int(Command.DATA_SM_RESP)
SUBMIT_MULTI: Final = int(Command.SUBMIT_MULTI)
QUERY_SM: Final = int(Command.QUERY_SM)
CANCEL_SM: Final = int(Command.CANCEL_SM)
REPLACE_SM: Final = int(Command.REPLACE_SM)
ALERT_NOTIFICATION: Final = int(Command.ALERT_NOTIFICATION)
BROADCAST_SM: Final = 0x111
QUERY_BROADCAST_SM: Final = 0x112
CANCEL_BROADCAST_SM: Final = 0x113

BINDS: Final = frozenset({BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER})

ESME_ROK: Final = 0x00
ESME_RINVMSGLEN: Final = 0x01
ESME_RINVCMDLEN: Final = 0x02
ESME_RINVCMDID: Final = 0x03
ESME_RINVBNDSTS: Final = 0x04
ESME_RALYBND: Final = 0x05
ESME_RSYSERR: Final = 0x08
ESME_RINVSRCADR: Final = 0x0A
ESME_RINVDSTADR: Final = 0x0B
ESME_RINVMSGID: Final = 0x0C
ESME_RBINDFAIL: Final = 0x0D
ESME_RINVPASWD: Final = 0x0E
ESME_RINVSYSID: Final = 0x0F
ESME_RCANCELFAIL: Final = 0x11
ESME_RREPLACEFAIL: Final = 0x13
ESME_RMSGQFUL: Final = 0x14
ESME_RINVSERTYP: Final = 0x15
ESME_RINVNUMDESTS: Final = 0x33
ESME_RINVDLNAME: Final = 0x34
ESME_RINVDESTFLAG: Final = 0x40
ESME_RSUBMITFAIL: Final = 0x45
ESME_RINVSYSTYP: Final = 0x53
ESME_RTHROTTLED: Final = 0x58
ESME_RINVSCHED: Final = 0x61
ESME_RINVEXPIRY: Final = 0x62
ESME_RX_T_APPN: Final = 0x64
ESME_RX_P_APPN: Final = 0x65
ESME_RQUERYFAIL: Final = 0x67
ESME_RINVOPTPARSTREAM: Final = 0xC0
ESME_RUNKNOWNERR: Final = 0xFF

ADDITIONAL_STATUS_INFO_TEXT: Final = 0x001D
SOURCE_PORT: Final = 0x020A
SC_INTERFACE_VERSION: Final = 0x0210
RECEIPTED_MESSAGE_ID: Final = 0x001E
NETWORK_ERROR_CODE: Final = 0x0423
MESSAGE_PAYLOAD: Final = 0x0424
MESSAGE_STATE: Final = 0x0427
CONGESTION_STATE: Final = 0x0428

VERSION_3_3: Final = 0x33
VERSION_3_4: Final = 0x34
VERSION_5_0: Final = 0x50

_COMMAND_NAMES: Final = {int(command): command.name.lower() for command in Command} | {
    BROADCAST_SM: "broadcast_sm",
    QUERY_BROADCAST_SM: "query_broadcast_sm",
    CANCEL_BROADCAST_SM: "cancel_broadcast_sm",
}
STATUS_NAMES: Final[dict[int, str]] = {int(status): status.name for status in Status}
STATUS_BY_NAME: Final[dict[str, int]] = {name: value for value, name in STATUS_NAMES.items()}


def command_name(command_id: int) -> str:
    """Return the specification's word for a command, or its number where there is none."""
    return _COMMAND_NAMES.get(command_id, f"0x{command_id:08X}")


OTHER_STATUS: Final = 0x500
"""The first number past the vendors' range: it stands for all that no specification gives out."""


def status_name(status: int) -> str:
    """Return the specification's word for a status, or its number where there is none.

    Metrics use it as a label, so vendor statuses are numbers of one bounded range and the rest
    is `other`: a peer cannot grow our memory by inventing statuses.
    """
    name = STATUS_NAMES.get(status)
    if name is not None:
        return name
    return f"0x{status:08X}" if status < OTHER_STATUS else "other"
