"""An accepted submit whose answer its client may not have seen, as it outlives a process."""

from router.terms.names import AccountName, ClientId, RouterId


class UnseenAnswer:
    """The same submit, come again, is a retry of this one."""

    __slots__ = ("accepted_utc", "account", "client_id", "fingerprint", "router_id")

    def __init__(
        self,
        account: AccountName,
        router_id: RouterId,
        client_id: ClientId,
        fingerprint: bytes,
        accepted_utc: float,
    ) -> None:
        self.account = account
        self.router_id = router_id
        self.client_id = client_id
        """The message id that the client was answered, or would have been."""
        self.fingerprint = fingerprint
        """Of what a client sends again as it was (`steps/client_retries.py`)."""
        self.accepted_utc = accepted_utc
