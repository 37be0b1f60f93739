import time
from tests.gateway.conftest import Guarded
from tests.gateway.service import headers

def test_smoke(guarded: Guarded) -> None:
    d = guarded.deployment
    with d.http1(guarded.friend) as c: print(c.ask())
    print(guarded.service.last.decode())
    with d.http2(guarded.friend) as c: print(c.ask())
    with d.http1(d.nobody) as c: print(c.ask())
    with d.http1(guarded.friend) as c: print(c.ask(b"GET /%2e%2e%2fx HTTP/1.1\r\nhost: a\r\n\r\n"))
    with d.http1(guarded.friend) as c: print(c.ask(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"))
    with d.http1(guarded.friend) as c: print(c.ask(b"GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-host: evil\r\nx-forwarded-proto: http\r\nx-forwarded-port: 1\r\n\r\n"))
    print(guarded.service.last.decode())
    time.sleep(1)
    for l in d.log(): print(l)
    import subprocess; print(subprocess.run(["find", d.state, "-printf", "%m %p\n"],capture_output=True,text=True).stdout)
