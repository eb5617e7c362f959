"""The client whose methods block. But for `world`, it is made from `mixpeek.client.aio` by `make client`."""
