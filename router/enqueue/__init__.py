"""Safe on disk and in a priority lane, before the client hears ESME_ROK."""
