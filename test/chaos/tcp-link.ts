import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';

/** A port of this process that leads to another one. */
export interface TcpLink extends AsyncDisposable {
  readonly port: number;
}

/** `join` carries what comes from one socket to the other, as long as both live; it is called for each connection. */
export async function openTcpLink(target: number, join: (near: Socket, far: Socket) => void): Promise<TcpLink> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = createConnection(target, '127.0.0.1');
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    join(near, far);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
