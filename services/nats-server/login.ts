import { connect } from 'node:net';

/** Whether a nats-server on this machine lets this user in now. False also when nothing answers in time. */
export function canLogin(port: number, user: string, password: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }).setEncoding('utf8').setTimeout(timeoutMs);
    let heard = '';
    const settle = (verdict: boolean) => {
      socket.destroy();
      resolve(verdict);
    };
    socket.write(`CONNECT ${JSON.stringify({ user, pass: password, verbose: false, pedantic: false })}\r\nPING\r\n`);
    socket.on('data', (text: string) => {
      heard = (heard + text).slice(-65_536);
      if (heard.includes('PONG\r\n')) settle(true);
      else if (heard.includes('-ERR')) settle(false);
    });
    for (const event of ['timeout', 'error', 'close'] as const) socket.on(event, () => settle(false));
  });
}
