"""Octets to PDUs and back: the framer, the lazy view over a message, the builders.

A PDU is kept as the octets that arrived. Fields are read from the octets by offset. What the
configuration does not change leaves as it came, and only the header is written anew. So a TLV, a
data_coding or a TON that no list has costs nothing and cannot fail.

Source: SMPP v3.4, chapters 3 (header), 4.1-4.7 (PDUs) and 5.2 (fields and their lengths).
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from router.smpp import vocabulary as v

HEADER_OCTETS: Final = 16
"""command_length, command_id, command_status, sequence_number."""
_OTHERS: Final = {
    "TLS": (b"\x16\x03",),
    "HTTP": (b"GET ", b"POST ", b"PUT ", b"HEAD ", b"OPTIONS ", b"CONNECT ", b"PRI * ", b"HTTP/"),
    "PROXY": (b"PROXY ", b"\r\n\r\n\x00\r\nQUIT\n"),
    "SSH": (b"SSH-",),
}
"""How protocols begin that come to a port of SMPP now and then; PROXY is that of load balancers."""
ALL: Final = 1 << 30
"""All PDUs that there are."""

LONGEST_ADDRESS: Final = 20
"""Octets of the longest address of a submit_sm, without its NUL (3.4, 4.4.1)."""
MOST_TLVS: Final = 100
"""TLVs of one PDU; 3.4 has 45 tags and 5.0 some 70. Each is looked at several times, and a PDU has
room for 17,000 empty ones, which took as long as a thousand usual messages."""
LONGEST_ADDRESS_OCTETS: Final = LONGEST_ADDRESS + 3
"""The same with TON, NPI and NUL."""
LONGEST_ID_OCTETS: Final = 255
"""Octets of a message_id that are read, in answers and in receipts alike; 3.4 has 64. Ids are kept
by the ten thousand, and whoever makes them could fill the memory with a few."""
LONGEST_SHORT_MESSAGE_OCTETS: Final = 254
"""The longest short_message of 3.4 (5.2.21). 5.0 has room for one octet more."""
MOST_DESTINATIONS: Final = 254
"""The most numbers of one submit_multi in 3.4 (4.5.1). 5.0 has room for one more."""
MOST_DESTINATIONS_5_0: Final = 255

_ID_ENDS: Final = HEADER_OCTETS + LONGEST_ID_OCTETS
_HEADER: Final = struct.Struct(">IIII")
_LENGTH: Final = struct.Struct(">I")
_STATUS_AND_SEQUENCE: Final = struct.Struct(">II")
_TLV: Final = struct.Struct(">HH")
_FIELDS: Final[tuple[tuple[int, int], ...]] = ((0, 5), (2, 20), (2, 20), (3, 16), (0, 16))
"""Of each field that ends with a NUL: the octets between it and the one before, and its longest."""
_FIELDS_OF_DATA_SM: Final[tuple[tuple[int, int], ...]] = ((0, 5), (2, 64), (2, 64))
_pack_header: Final = _HEADER.pack
_unpack_header: Final = _HEADER.unpack_from


class Pdu:
    """One PDU as it came: the numbers of its header, all its octets, the request of a response."""

    __slots__ = ("command_id", "command_status", "octets", "request", "sent_at", "sequence_number")

    def __init__(self, command_id: int, status: int, sequence_number: int, octets: bytes) -> None:
        self.command_id = command_id
        self.command_status = status
        self.sequence_number = sequence_number
        self.octets = octets
        self.request: object = None
        """The object that was sent with the request, if this is its response. Of a submit_sm that
        was made of a submit_multi: who collects what becomes of each number."""
        self.sent_at = 0.0
        """When that request was written; 0 if this is no response, or a late one."""

    def __repr__(self) -> str:
        return (
            f"<{v.command_name(self.command_id)} status=0x{self.command_status:X} "
            f"sequence={self.sequence_number} octets={len(self.octets)}>"
        )


class Framer:
    """Cuts a stream of octets into PDUs, whatever the pieces in which the stream comes.

    A command_length under 16 or over the limit is noticed as soon as its four octets are there.
    Nothing is read after such a length: where the next PDU starts cannot be known.
    """

    __slots__ = ("_at", "_rest", "has_more", "longest_octets", "lost_at_sequence", "lost_octets")

    def __init__(self, longest_octets: int) -> None:
        self.longest_octets = longest_octets
        """A PDU with a longer command_length ends it."""
        self._rest = b""
        self._at = 0
        """How much of the rest has been cut already."""
        self.has_more = False
        """Whether there may be PDUs that were beyond the most that `feed` was to return."""
        self.lost_at_sequence: int | None = None
        """The sequence_number to answer when framing is lost, 0 if unknown; None before that."""
        self.lost_octets = b""
        """The first octets of what is no PDU."""

    def feed(self, octets: bytes, most: int = ALL) -> list[Pdu]:
        """Return the PDUs that are complete with these octets, but no more than `most`.

        The others are returned by the next calls; `octets` may be empty then.
        """
        if self.lost_at_sequence is not None:
            return []
        at = 0
        if not octets:
            octets, at = self._rest, self._at
        elif self._rest:
            octets = self._rest[self._at :] + octets
        pdus: list[Pdu] = []
        end = len(octets)
        for _ in range(most):
            if end - at < HEADER_OCTETS:
                break
            header: tuple[int, int, int, int] = _unpack_header(octets, at)
            length, command_id, status, sequence_number = header
            if length < HEADER_OCTETS or length > self.longest_octets:
                self._lose(sequence_number, octets[at : at + HEADER_OCTETS])
                return pdus
            if end - at < length:
                break
            pdus.append(Pdu(command_id, status, sequence_number, octets[at : at + length]))
            at += length
        else:
            if end - at >= HEADER_OCTETS:
                # Not cut off from what was read: of many short ones that would copy too much.
                self._rest, self._at = octets, at
                self.has_more = True
                return pdus
        self.has_more = False
        self._at = 0
        self._rest = rest = octets[at:]
        if 4 <= len(rest) < HEADER_OCTETS:
            (length,) = _LENGTH.unpack_from(rest)
            if length < HEADER_OCTETS or length > self.longest_octets:
                self._lose(0, rest)
        return pdus

    @property
    def rest(self) -> bytes:
        """What has come and was not returned by `feed` yet."""
        return self._rest[self._at :]

    def clear(self) -> None:
        """Forget what has come: the connection is over."""
        self._rest = b""
        self._at = 0
        self.has_more = False

    def _lose(self, sequence_number: int, octets: bytes) -> None:
        self.lost_at_sequence = sequence_number
        self.lost_octets = octets
        self.clear()


def looks_like(octets: bytes) -> str:
    """Return the protocol that somebody speaks who does not speak SMPP; empty if none is known."""
    for protocol, beginnings in _OTHERS.items():
        if octets.startswith(beginnings):
            return protocol
    return ""


class BodyError(Exception):
    """A PDU whose body cannot be read: the session goes on, and `status` is the answer."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(what)
        self.status = status


class Sm:
    """The view over a submit_sm, deliver_sm or data_sm: where each field stands.

    Raises BodyError with the status that names the fault. A data_sm has no schedule, no
    short_message and a few fields less; they read as if they were empty.

    Up to three octets behind the last field, which are no TLV, are left out of `octets`: php-smpp
    ends each submit_sm with a NUL. `tolerant` leaves out a last TLV that is longer than the PDU as
    well, and those beyond `MOST_TLVS`, instead of raising: operators send such receipts, would
    repeat them for ever, and what stands before it is sound.
    """

    __slots__ = (
        "_destination_end",
        "_service_type_end",
        "_source_end",
        "_validity_end",
        "data_coding",
        "esm_class",
        "octets",
        "priority_flag",
        "registered_delivery",
        "short_message_at",
        "tlvs_at",
    )

    def __init__(self, pdu: Pdu, *, tolerant: bool = False) -> None:
        octets = self.octets = pdu.octets
        data_sm = pdu.command_id == v.DATA_SM
        longest = 65 if data_sm else 21  # octets of an address with its NUL; 3.4, 4.7.1 and 4.4.1
        try:
            # Three of these fields are empty as a rule: then there is nothing to search.
            end = 16 if octets[16] == 0 else octets.find(0, 17, 22)
            if end < 0:
                raise BodyError("service_type has no end", _cut(octets, 22, v.ESME_RINVSERTYP))
            self._service_type_end = end
            if (at := octets.find(0, end + 3, end + 3 + longest)) < 0:
                at = end + 3 + longest
                raise BodyError("source_addr has no end", _cut(octets, at, v.ESME_RINVSRCADR))
            self._source_end = end = at
            if (at := octets.find(0, end + 3, end + 3 + longest)) < 0:
                at = end + 3 + longest
                raise BodyError("destination_addr has no end", _cut(octets, at, v.ESME_RINVDSTADR))
            self._destination_end = at
            self.esm_class = octets[at + 1]
            if data_sm:
                self.priority_flag = 0
                self._validity_end = -1
                self.registered_delivery = octets[at + 2]
                self.data_coding = octets[at + 3]
                self.short_message_at = self.tlvs_at = at + 4
            else:
                self.priority_flag = octets[at + 3]
                end = at + 4 if octets[at + 4] == 0 else octets.find(0, at + 5, at + 21)
                if end < 0:
                    raise BodyError(
                        "schedule_delivery_time has no end", _cut(octets, at + 21, v.ESME_RINVSCHED)
                    )
                at = end + 1 if octets[end + 1] == 0 else octets.find(0, end + 2, end + 18)
                if at < 0:
                    raise BodyError(
                        "validity_period has no end", _cut(octets, end + 18, v.ESME_RINVEXPIRY)
                    )
                self._validity_end = at
                self.registered_delivery = octets[at + 1]
                self.data_coding = octets[at + 3]
                self.short_message_at = at + 6
                self.tlvs_at = at + 6 + octets[at + 5]
        except IndexError:
            raise BodyError("the body ends too early", v.ESME_RINVCMDLEN) from None
        if self.tlvs_at != len(octets):
            self._check_tail(tolerant=tolerant)

    def _check_tail(self, *, tolerant: bool) -> None:
        octets, at, end = self.octets, self.tlvs_at, len(self.octets)
        if at > end:
            raise BodyError("sm_length is more than there is", v.ESME_RINVMSGLEN)
        left = MOST_TLVS
        while at < end:
            whole = at
            is_surplus = at + 4 > end
            left -= 1
            if is_surplus or (at := at + 4 + ((octets[at + 2] << 8) | octets[at + 3])) > end:
                if not tolerant and not is_surplus:
                    raise BodyError("a TLV is longer than the PDU", v.ESME_RINVOPTPARSTREAM)
            elif left < 0:
                if not tolerant:
                    raise BodyError("there are too many TLVs", v.ESME_RINVOPTPARSTREAM)
            else:
                continue
            self.octets = _LENGTH.pack(whole) + octets[4:whole]
            return

    @property
    def service_type(self) -> bytes:
        """The service_type, without its NUL."""
        return self.octets[16 : self._service_type_end]

    @property
    def source(self) -> tuple[int, int, bytes]:
        """source_addr_ton, source_addr_npi, source_addr."""
        at = self._service_type_end
        return self.octets[at + 1], self.octets[at + 2], self.octets[at + 3 : self._source_end]

    @property
    def source_addr(self) -> bytes:
        """The source_addr, without TON and NPI."""
        return self.octets[self._service_type_end + 3 : self._source_end]

    @property
    def destination(self) -> tuple[int, int, bytes]:
        """dest_addr_ton, dest_addr_npi, destination_addr."""
        at = self._source_end
        return self.octets[at + 1], self.octets[at + 2], self.octets[at + 3 : self._destination_end]

    @property
    def destination_addr(self) -> bytes:
        """The destination_addr, without TON and NPI."""
        return self.octets[self._source_end + 3 : self._destination_end]

    @property
    def source_octets(self) -> bytes:
        """TON, NPI, address and NUL of the source, as they stand in the PDU."""
        return self.octets[self._service_type_end + 1 : self._source_end + 1]

    @property
    def destination_octets(self) -> bytes:
        """TON, NPI, address and NUL of the destination, as they stand in the PDU."""
        return self.octets[self._source_end + 1 : self._destination_end + 1]

    @property
    def schedule_delivery_time(self) -> bytes:
        """The schedule_delivery_time, without its NUL; empty in a data_sm."""
        at = self._destination_end + 4
        return b"" if self._validity_end < 0 else self.octets[at : self.octets.index(0, at)]

    @property
    def validity_period(self) -> bytes:
        """The validity_period, without its NUL; empty in a data_sm."""
        if self._validity_end < 0:
            return b""
        octets = self.octets
        if octets[self._validity_end - 1] == 0:  # the usual case: empty, right after another NUL
            return b""
        return octets[octets.index(0, self._destination_end + 4) + 1 : self._validity_end]

    @property
    def short_message(self) -> bytes:
        """The short_message, with its UDH if there is one; empty in a data_sm."""
        return self.octets[self.short_message_at : self.tlvs_at]

    @property
    def message(self) -> bytes:
        """The short_message, or the message_payload if the short_message is empty."""
        return self.short_message or self.tlv(v.MESSAGE_PAYLOAD) or b""

    def tlvs(self) -> Iterator[tuple[int, bytes]]:
        """Tag and value of each TLV, in their order, known or unknown, repeated or not."""
        octets, at, end = self.octets, self.tlvs_at, len(self.octets)
        while at < end:
            tag = octets[at] << 8 | octets[at + 1]
            value_at = at + 4
            at = value_at + (octets[at + 2] << 8 | octets[at + 3])
            yield tag, octets[value_at:at]

    def tlvs_by_tag(self) -> dict[int, bytes]:
        """Return the TLVs by tag; of a tag that comes twice, the last value."""
        octets, at, end = self.octets, self.tlvs_at, len(self.octets)
        found: dict[int, bytes] = {}
        while at < end:
            tag = octets[at] << 8 | octets[at + 1]
            value_at = at + 4
            at = value_at + (octets[at + 2] << 8 | octets[at + 3])
            found[tag] = octets[value_at:at]
        return found

    def tlv(self, tag: int) -> bytes | None:
        """Return the value of the first TLV with this tag."""
        if self.tlvs_at == len(self.octets):
            return None
        return next((value for found, value in self.tlvs() if found == tag), None)


class SubmitMulti:
    """The view over a submit_multi: its destinations, and the submit_sm that says the same to one.

    Raises BodyError with the status that names the fault, if that is in front of esm_class. What
    stands behind is the same in each submit_sm, where `Sm` finds the fault.
    """

    __slots__ = ("_after", "_before", "destinations", "sequence_number")

    def __init__(self, pdu: Pdu, most: int = MOST_DESTINATIONS) -> None:
        """`most` is how many destinations the version of the client allows."""
        octets = pdu.octets
        self.sequence_number = pdu.sequence_number
        end = octets.find(0, 16, 22)
        if end < 0:
            raise BodyError("service_type has no end", _cut(octets, 22, v.ESME_RINVSERTYP))
        at = end + 3
        end = octets.find(0, at, at + 21)
        if end < 0:
            raise BodyError("source_addr has no end", _cut(octets, at + 21, v.ESME_RINVSRCADR))
        at = end + 1
        self._before = octets[16:at]
        self.destinations: list[tuple[bytes, bool]] = []
        """Of each: TON, NPI, address and NUL, and whether it is the name of a distribution list,
        which has neither TON nor NPI; they read as 0."""
        if at >= len(octets):
            raise BodyError("the body ends too early", v.ESME_RINVCMDLEN)
        count = octets[at]
        if not 1 <= count <= most:
            raise BodyError("number_of_dests is out of range", v.ESME_RINVNUMDESTS)
        at += 1
        for _ in range(count):
            flag = octets[at : at + 1]
            is_list = flag == b"\2"
            if is_list:
                end = octets.find(0, at + 1, at + 22)
                if end < 0:
                    status = _cut(octets, at + 22, v.ESME_RINVDLNAME)
                    raise BodyError("dl_name has no end", status)
                self.destinations.append((b"\0\0" + octets[at + 1 : end + 1], True))
            elif flag == b"\1":
                end = octets.find(0, at + 3, at + 24)
                if end < 0:
                    status = _cut(octets, at + 24, v.ESME_RINVDSTADR)
                    raise BodyError("destination_addr has no end", status)
                self.destinations.append((octets[at + 1 : end + 1], False))
            elif flag:
                raise BodyError("dest_flag is neither 1 nor 2", v.ESME_RINVDESTFLAG)
            else:
                raise BodyError("the body ends too early", v.ESME_RINVCMDLEN)
            at = end + 1
        self._after = octets[at:]

    def submit_sm(self, destination_octets: bytes) -> Pdu:
        """Return the submit_sm to one destination; all else is as it came, octet for octet."""
        number = self.sequence_number
        body = self._before + destination_octets + self._after
        return Pdu(v.SUBMIT_SM, 0, number, build(v.SUBMIT_SM, 0, number, body))


def esme_addr_of(pdu: Pdu) -> bytes:
    """Return the esme_addr of an alert_notification: whom it is for. Raises BodyError."""
    octets = pdu.octets
    end = octets.find(0, 18, 18 + 65)
    if end < 0:
        raise BodyError("source_addr has no end", _cut(octets, 18 + 65, v.ESME_RINVSRCADR))
    at = end + 3
    end = octets.find(0, at, at + 65)
    if end < 0:
        raise BodyError("esme_addr has no end", _cut(octets, at + 65, v.ESME_RINVDSTADR))
    return octets[at:end]


def with_fields_cut(pdu: Pdu) -> Pdu:
    """Return a submit_sm, deliver_sm or data_sm whose longest fields hold what fits into them.

    Each field ends where its NUL is, however far. Raises BodyError if one has none.
    """
    octets, at = pdu.octets, HEADER_OCTETS
    parts: list[bytes] = []
    data_sm = pdu.command_id == v.DATA_SM
    for octets_before, longest in _FIELDS_OF_DATA_SM if data_sm else _FIELDS:
        begin = at + octets_before
        end = octets.find(0, begin)
        if end < 0:
            raise BodyError("a field has no end", v.ESME_RINVCMDLEN)
        parts += (octets[at : min(end, begin + longest)], b"\0")
        at = end + 1
    body = b"".join((*parts, octets[at:]))
    octets = build(pdu.command_id, pdu.command_status, pdu.sequence_number, body)
    return Pdu(pdu.command_id, pdu.command_status, pdu.sequence_number, octets)


def _cut(octets: bytes, limit: int, status: int) -> int:
    """Return the status for a field without NUL: too long, or the body ends too early."""
    return status if len(octets) >= limit else v.ESME_RINVCMDLEN


def build(command_id: int, status: int, sequence_number: int, body: bytes = b"") -> bytes:
    """Return a PDU from its header and body."""
    return _pack_header(16 + len(body), command_id, status, sequence_number) + body


def relay(octets: bytes, sequence_number: int) -> bytes:
    """Return a request with another sequence_number and status 0, otherwise byte for byte."""
    return octets[:8] + _STATUS_AND_SEQUENCE.pack(0, sequence_number) + octets[16:]


def relay_with(
    sm: Sm,
    sequence_number: int,
    *,
    source: tuple[int, int, bytes] | None = None,
    destination: tuple[int, int, bytes] | None = None,
    schedule_delivery_time: bytes | None = None,
    validity_period: bytes | None = None,
    short_message: bytes | None = None,
) -> bytes:
    """Return a request with another sequence_number and, if given, other fields.

    A short_message is at most 255 octets; that and the times are not for a data_sm.
    """
    octets = sm.octets
    parts = [octets[16 : sm._service_type_end + 1]]
    parts.append(sm.source_octets if source is None else address(*source))
    parts.append(sm.destination_octets if destination is None else address(*destination))
    after = sm._destination_end + 1
    if schedule_delivery_time is validity_period is short_message is None:
        parts.append(octets[after:])
    else:
        if sm._validity_end < 0:
            raise ValueError("a data_sm has neither times nor a short_message")
        schedule, validity = schedule_delivery_time, validity_period
        parts.append(octets[after : after + 3])
        parts.append((sm.schedule_delivery_time if schedule is None else schedule) + b"\0")
        parts.append((sm.validity_period if validity is None else validity) + b"\0")
        parts.append(octets[sm._validity_end + 1 : sm.short_message_at - 1])
        text = sm.short_message if short_message is None else short_message
        parts.append(bytes((len(text),)) + text + octets[sm.tlvs_at :])
    return build(_LENGTH.unpack_from(octets, 4)[0], 0, sequence_number, b"".join(parts))


def deliver_sm_from_data_sm(sm: Sm) -> bytes:
    """Return a deliver_sm with the content of a data_sm: some clients do not know data_sm.

    The sequence_number is 0. A message that fits moves from message_payload into short_message,
    with its UDH: many clients read nothing else. A longer message and all other TLVs stay. Of an
    address that is longer than a deliver_sm may have the beginning stays.
    """
    service_type = sm.octets[16 : sm._service_type_end + 1]
    head = service_type + fitting(sm.source_octets) + fitting(sm.destination_octets)
    tlvs = sm.octets[sm.tlvs_at :]
    text = sm.message
    if 0 < len(text) <= LONGEST_SHORT_MESSAGE_OCTETS:
        # A second message_payload goes too: beside a short_message there may be none.
        tlvs = b"".join(tlv(tag, value) for tag, value in sm.tlvs() if tag != v.MESSAGE_PAYLOAD)
    else:
        text = b""
    body = struct.pack(
        ">BBB2sBBBBB",
        sm.esm_class,
        0,
        0,
        b"\0\0",
        sm.registered_delivery,
        0,
        sm.data_coding,
        0,
        len(text),
    )
    return build(v.DELIVER_SM, 0, 0, head + body + text + tlvs)


def address(ton: int, npi: int, digits: bytes) -> bytes:
    """Return an address as it stands in a PDU."""
    return bytes((ton, npi)) + digits + b"\0"


def fitting(address_octets: bytes) -> bytes:
    """Return TON, NPI, address and NUL with what a deliver_sm has room for; a data_sm has more."""
    if len(address_octets) <= LONGEST_ADDRESS_OCTETS:
        return address_octets
    return address_octets[: LONGEST_ADDRESS_OCTETS - 1] + b"\0"


def tlv(tag: int, value: bytes) -> bytes:
    """Return one TLV."""
    return _TLV.pack(tag, len(value)) + value


def response(
    command_id: int,
    sequence_number: int,
    status: int = 0,
    body: bytes = b"",
    tlvs_of_refusal: bytes = b"",
) -> bytes:
    """Return the answer to a request `command_id`.

    A failure carries no body, or that of an answer which always has one: the NUL of an empty
    message_id in a deliver_sm_resp and a data_sm_resp (3.4, 4.6.2 and 4.7.2; a submit_sm_resp has
    none, 4.4.2), with it a no_unsuccess of 0 in a submit_multi_resp (4.5.2), and in a query_sm_resp
    (4.8.2) no final_date, the state UNKNOWN and an error_code of 0. Some peers end the session, or
    crash, where it is missing. `tlvs_of_refusal` stand behind that body.
    """
    if status:
        if command_id == v.SUBMIT_MULTI:
            body = b"\0\0"
        elif command_id == v.QUERY_SM:
            body = b"\0\0\7\0"
        elif command_id == v.DELIVER_SM or command_id == v.DATA_SM or tlvs_of_refusal:
            body = b"\0"
        else:
            body = b""
        body += tlvs_of_refusal
    return build(command_id | v.RESPONSE, status, sequence_number, body)


def submit_multi_response(
    sequence_number: int,
    status: int,
    message_id: bytes,
    unsuccess: Sequence[tuple[bytes, int]],
    tlvs: bytes = b"",
) -> bytes:
    """Return a submit_multi_resp.

    `unsuccess` has, of each number that was refused, TON, NPI, address and NUL, and the status.
    """
    refused = b"".join([octets + _LENGTH.pack(code) for octets, code in unsuccess])
    body = message_id + b"\0" + bytes((len(unsuccess),)) + refused + tlvs
    return build(v.SUBMIT_MULTI | v.RESPONSE, status, sequence_number, body)


def bind_response(
    command_id: int, sequence_number: int, status: int, system_id: bytes, tlvs: bytes = b""
) -> bytes:
    """Return the answer to a bind request; it names who answers, also where it is a refusal."""
    return build(command_id | v.RESPONSE, status, sequence_number, system_id + b"\0" + tlvs)


def bind(
    command_id: int,
    sequence_number: int,
    *,
    system_id: bytes,
    password: bytes,
    system_type: bytes = b"",
    interface_version: int = v.VERSION_3_4,
    address_range: tuple[int, int, bytes] = (0, 0, b""),
) -> bytes:
    """Return a bind request; `address_range` is addr_ton, addr_npi and address_range."""
    body = system_id + b"\0" + password + b"\0" + system_type + b"\0"
    body += bytes((interface_version,)) + address(*address_range)
    return build(command_id, 0, sequence_number, body)


def sm(
    command_id: int,
    sequence_number: int,
    *,
    source: tuple[int, int, bytes] = (0, 0, b""),
    destination: tuple[int, int, bytes],
    short_message: bytes = b"",
    service_type: bytes = b"",
    esm_class: int = 0,
    protocol_id: int = 0,
    priority_flag: int = 0,
    schedule_delivery_time: bytes = b"",
    validity_period: bytes = b"",
    registered_delivery: int = 0,
    replace_if_present_flag: int = 0,
    data_coding: int = 0,
    sm_default_msg_id: int = 0,
    tlvs: bytes = b"",
) -> bytes:
    """Return a submit_sm or deliver_sm; `tlvs` are octets as `tlv()` makes them."""
    body = b"".join(
        (
            service_type,
            b"\0",
            address(*source),
            address(*destination),
            bytes((esm_class, protocol_id, priority_flag)),
            schedule_delivery_time,
            b"\0",
            validity_period,
            b"\0",
            bytes((registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id)),
            bytes((len(short_message),)),
            short_message,
            tlvs,
        )
    )
    return build(command_id, 0, sequence_number, body)


def message_id_of(pdu: Pdu) -> bytes:
    """Return the message_id of a submit_sm_resp or data_sm_resp; empty where there is none.

    Some peers send no NUL, some send a body with an error; both are accepted. Of an id that is far
    too long the beginning is returned, as of the one in its receipt.
    """
    octets = pdu.octets
    end = octets.find(0, HEADER_OCTETS, _ID_ENDS)
    return octets[HEADER_OCTETS : _ID_ENDS if end < 0 else end]


class BindRequest:
    """The fields of a bind request. Raises BodyError."""

    __slots__ = ("command_id", "interface_version", "password", "system_id", "system_type")

    def __init__(self, pdu: Pdu) -> None:
        # 64 octets where the specification has 16, 9 and 13: real clients and we ourselves use
        # longer ones, and a refusal for length would say which part was wrong.
        fields = pdu.octets[HEADER_OCTETS:].split(b"\0", 3)
        if len(fields) < 4 or not fields[3]:
            raise BodyError("the bind request ends too early", v.ESME_RINVCMDLEN)
        if max(map(len, fields[:3])) > 64:
            raise BodyError("a field is longer than 64 octets", v.ESME_RINVPASWD)
        self.command_id = pdu.command_id
        self.system_id, self.password, self.system_type = fields[:3]
        self.interface_version = fields[3][0]
