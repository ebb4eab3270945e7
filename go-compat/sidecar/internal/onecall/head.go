package onecall

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// head is what a block of headers says, as far as it is looked at.
type head struct {
	httpStatus, contentType, status, message, details string
}

func (h *head) reset() { *h = head{} }

func (h *head) add(f hpack.HeaderField) {
	switch f.Name {
	case ":status":
		h.httpStatus = f.Value
	case "content-type":
		h.contentType = f.Value
	case "grpc-status":
		h.status = f.Value
	case "grpc-message":
		h.message = f.Value
	case "grpc-status-details-bin":
		h.details = f.Value
	}
}

// informs says that the answer itself is still to come.
func (h *head) informs() bool { return strings.HasPrefix(h.httpStatus, "1") }

// begin is what the first block of a stream says: nil for an answer of gRPC.
func (h *head) begin() *Error {
	if h.httpStatus == "200" && strings.HasPrefix(h.contentType, "application/grpc") {
		return nil
	}
	text := fmt.Sprintf("the answer is not gRPC: HTTP status %.20q, %.80q", h.httpStatus, h.contentType)
	return &Error{Status: status.New(codes.Unknown, text), Sent: true}
}

// end is what the last block of a stream says: nil for success. It may be the first one too.
func (h *head) end(headed bool) *Error {
	if !headed {
		if failure := h.begin(); failure != nil {
			return failure
		}
	}
	code, err := strconv.ParseUint(h.status, 10, 32)
	if err != nil {
		return broken(fmt.Sprintf("the answer has no status of gRPC, but %.20q", h.status))
	}
	if codes.Code(code) == codes.OK {
		return nil
	}
	return &Error{Status: h.said(codes.Code(code)), Sent: true}
}

// said is the status with its details, where they are whole.
func (h *head) said(code codes.Code) *status.Status {
	var details spb.Status
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(h.details, "="))
	if h.details != "" && err == nil && proto.Unmarshal(raw, &details) == nil && details.GetCode() == int32(code) {
		return status.FromProto(&details)
	}
	text, err := url.PathUnescape(h.message)
	if err != nil {
		text = h.message
	}
	return status.New(code, text)
}

// reset is a call with this deadline that the server broke off.
func reset(code http2.ErrCode, until time.Time) *Error {
	text := fmt.Sprintf("the server broke the call off: %s", code)
	switch code {
	case http2.ErrCodeRefusedStream: // it was not looked at
		return &Error{Status: status.New(codes.Unavailable, text), Away: true}
	case http2.ErrCodeCancel:
		if !until.After(time.Now()) { // the deadline, by the server's clock
			return expired(true)
		}
		return &Error{Status: status.New(codes.Canceled, text), Sent: true}
	case http2.ErrCodeEnhanceYourCalm, http2.ErrCodeFlowControl:
		return &Error{Status: status.New(codes.ResourceExhausted, text), Sent: true}
	default:
		return broken(text)
	}
}
