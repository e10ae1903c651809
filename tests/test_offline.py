import socket

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org"])
def test_no_test_can_reach_another_machine(host):
    with pytest.raises(pytest.fail.Exception, match=host):
        socket.create_connection((host, 80), timeout=1)


def test_a_raw_socket_cannot_either():
    with socket.socket() as connection, pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"):
        connection.connect(("192.0.2.1", 80))


def test_this_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
