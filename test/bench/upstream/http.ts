import { createServer, type Server, type Socket } from 'node:net';

/** What a handler answers: an HTTP status and a JSON text. */
export type Respond = (answer: { readonly status: number; readonly body: Buffer | string }) => void;

export type Handle = (method: string, body: Buffer, respond: Respond) => void;

const headEnd = Buffer.from('\r\n\r\n');
const statusText: Readonly<Record<number, string>> = {
  200: 'OK',
  202: 'Accepted',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
};

/**
 * HTTP/1.1 on raw sockets, no more than a benchmark needs: keep-alive, one request at a time per connection, bodies with
 * Content-Length. `node:http` would cost more than the gateways that are to be told apart.
 */
export function serveHttp(handle: Handle): Server {
  return createServer({ noDelay: true }, (socket) => serveSocket(socket, handle));
}

function serveSocket(socket: Socket, handle: Handle): void {
  let buffered: Buffer | undefined;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    buffered = buffered === undefined ? chunk : Buffer.concat([buffered, chunk]);
    while (buffered !== undefined) {
      const request = takeRequest(buffered);
      if (request === undefined) return;
      buffered = request.rest;
      handle(request.method, request.body, (answer) => {
        if (!socket.destroyed) write(socket, answer.status, answer.body);
      });
    }
  });
}

function takeRequest(bytes: Buffer): { method: string; body: Buffer; rest: Buffer | undefined } | undefined {
  const end = bytes.indexOf(headEnd);
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  const bodyStart = end + headEnd.length;
  const bodyEnd = bodyStart + length;
  if (bytes.length < bodyEnd) return undefined;
  return {
    method: head.slice(0, head.indexOf(' ')),
    body: bytes.subarray(bodyStart, bodyEnd),
    rest: bytes.length === bodyEnd ? undefined : bytes.subarray(bodyEnd),
  };
}

function write(socket: Socket, status: number, body: Buffer | string): void {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  const head = `HTTP/1.1 ${status} ${statusText[status] ?? ''}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
  if (typeof body === 'string') {
    socket.write(head + body);
    return;
  }
  socket.cork();
  socket.write(head);
  socket.write(body);
  socket.uncork();
}
