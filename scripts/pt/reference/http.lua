-- Texts about servers of HTTP and their requests: see reference.lua.
return [==[
= http.Server({address = "127.0.0.1", port = 8080, connections = 128, timeout = 30, max_body = 1048576, queue = 64})
An HTTP server, where the build has libmicrohttpd: `for request in server:requests() do` takes requests until Ctrl-C.
port 0 is any that is free, which server.port then tells. timeout: seconds that a client may rest; max_body: bytes, what
is longer comes without its body; queue: requests that may have been passed on. It crosses to workers as a channel does.
from: -
> local server <close> = pt.http.Server { port = 0 }
> server.port > 0
true

= Server:requests()
`for request in server:requests() do`: until the first Ctrl-C, which drains the server; the loop ends when the requests
that have come are taken.
> local server <close> = pt.http.Server { port = 0 }
> server:drain()
> for request in server:requests() do request:respond(200, "hello") end

= Server:receive
Waits for a request, at most `timeout` seconds; else nil and "timeout", or "closed" where there will be none.
> local server <close> = pt.http.Server { port = 0 }
> server:receive(0)
nil  timeout

= Server:receive_passed
The same for requests that another has passed on.
> local server <close> = pt.http.Server { port = 0 }
> server:receive_passed(0)
nil  timeout

= Server:waiting
How many requests were passed on and have not been received.
> local server <close> = pt.http.Server { port = 0 }
> server:waiting()
0

= Server:drain
No connection is accepted any more, and what arrives on open ones is refused; what has come can be answered.
> local server <close> = pt.http.Server { port = 0 }
> server:drain()
> server:receive()
nil  closed

= Server:close
Drains, waits until answers have been sent, at most five seconds, and closes all connections.
> pt.http.Server({ port = 0 }):close()

= http.Request()
What a server receives: request.method, path (without "?..."), headers (by names in lower case) and body. One that is
dropped without an answer gets status 500.
from: -
> local server <close> = pt.http.Server { port = 0 }
> server:receive(0)
nil  timeout

= Request:respond(status, body, headers)
Answers, a string as text and a table as JSON. False where the client is gone.
> local function hello(request) return request:respond(200, { text = "hello" }) end
> type(hello)
function

= Request:begin(status, headers)
Begins an answer that is written piece by piece.
> local function count(request)
>   request:begin(200, { ["Content-Type"] = "text/plain" })
>   for i = 1, 3 do request:write(i .. "\n") end
>   request:finish()
> end
> type(count)
function

= Request:write
A piece of an answer that `begin` began. False where the client is gone, or leaves 16 MB unread.
> local function say(request) return request:write "more" end
> type(say)
function

= Request:finish
Ends an answer that `begin` began.
> local function stop(request) return request:finish() end
> type(stop)
function

= Request:gone
Whether the client has closed its connection, so that nobody wants the answer.
> local function wanted(request) return not request:gone() end
> type(wanted)
function

= Request:pass
Passes the request on to whoever calls server:receive_passed. False where the queue is full: it is still here then.
> local function route(request)
>   if not request:pass() then request:respond(503, "busy") end
> end
> type(route)
function
]==]
