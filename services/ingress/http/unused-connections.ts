import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';

/**
 * Connections that have carried no request yet. Clients open some in advance, and Node counts them neither as idle nor as busy: a server that
 * closes would wait for each until its headers time out.
 */
export interface UnusedConnections {
  destroy(): void;
}

/** `server`: a Node HTTP or HTTPS server that takes no connections yet. */
export function followUnusedConnections(server: EventEmitter): UnusedConnections {
  const unused = new Set<Socket>();
  const follow = (socket: Socket): void => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  };
  // Requests to a TLS server come on the socket above the raw one.
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', follow);
  server.on('request', ({ socket }: IncomingMessage) => void unused.delete(socket));
  return {
    destroy() {
      for (const socket of unused) socket.destroy();
    },
  };
}
