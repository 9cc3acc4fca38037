"""The journal, and the queues of the priority lanes: both come before the client's ESME_ROK."""
