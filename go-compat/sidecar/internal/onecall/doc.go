// Package onecall makes unary gRPC calls of one method, one at a time, over one HTTP/2
// connection, which it makes again when it is lost.
//
// It is what a lane of the sidecar's client needs of gRPC. With one call at a time there
// is nothing to multiplex: the caller's goroutine writes the whole call with one system
// call, one other goroutine reads, and what a call takes is used again by the next.
// grpc-go's stream a call costs several times that
// (docs/decisions/lanes-write-their-own-frames.md). Frames and header compression are
// golang.org/x/net's; the peer may be any gRPC server.
//
// What must stay true: of every call it is known whether the server may have seen it;
// one that is out has an answer, an error or its deadline; nothing that a server sends
// stops this process or makes it keep more than bounds allow.
package onecall
