package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"time"
)

const requestTimeout = 15 * time.Second

// answer is what the measurement needs of an HTTP answer.
type answer struct {
	status int
	body   []byte
}

// connection is one socket. A server that closes it after an answer gets
// another one.
type connection struct {
	address string
	tls     *tls.Config
	socket  net.Conn
	reader  *bufio.Reader
	body    []byte
}

func (c *connection) open() error {
	dialer := &net.Dialer{Timeout: requestTimeout}
	socket, err := dialer.Dial("tcp", c.address)
	if err == nil && c.tls != nil {
		secure := tls.Client(socket, c.tls)
		err = secure.Handshake()
		socket = secure
	}
	if err != nil {
		return err
	}
	c.socket = socket
	c.reader = bufio.NewReaderSize(socket, 16*1024)
	return nil
}

func (c *connection) close() {
	if c.socket != nil {
		c.socket.Close()
		c.socket = nil
	}
}

// send sends a whole request and reads its answer, which is valid until the
// next call.
func (c *connection) send(request []byte) (answer, error) {
	if c.socket == nil {
		if err := c.open(); err != nil {
			return answer{}, err
		}
	}
	result, err := c.exchange(request)
	if err != nil {
		c.close()
	}
	return result, err
}

func (c *connection) exchange(request []byte) (answer, error) {
	if err := c.socket.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return answer{}, err
	}
	if _, err := c.socket.Write(request); err != nil {
		return answer{}, err
	}
	return c.read()
}

var (
	lengthName    = []byte("content-length")
	transferName  = []byte("transfer-encoding")
	connectionKey = []byte("connection")
	closeValue    = []byte("close")
)

// read parses as much of HTTP/1.1 as servers of this API send: net/http would
// cost the client as much as the server.
func (c *connection) read() (answer, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return answer{}, err
	}
	if len(line) < 12 {
		return answer{}, fmt.Errorf("bad status line %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return answer{}, fmt.Errorf("bad status line %q", line)
	}
	length, chunked, last := -1, false, false
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return answer{}, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, lengthName):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return answer{}, err
			}
		case bytes.EqualFold(name, transferName):
			chunked = true
		case bytes.EqualFold(name, connectionKey):
			last = bytes.EqualFold(value, closeValue)
		}
	}
	if err := c.readBody(length, chunked); err != nil {
		return answer{}, err
	}
	if last {
		c.close()
	}
	return answer{status, c.body}, nil
}

func (c *connection) readBody(length int, chunked bool) (err error) {
	switch {
	case chunked:
		c.body, err = io.ReadAll(httputil.NewChunkedReader(c.reader))
		if err == nil {
			_, err = c.reader.ReadSlice('\n')
		}
	case length < 0:
		err = errors.New("an answer without a length")
	default:
		if cap(c.body) < length {
			c.body = make([]byte, length)
		}
		c.body = c.body[:length]
		_, err = io.ReadFull(c.reader, c.body)
	}
	return err
}
