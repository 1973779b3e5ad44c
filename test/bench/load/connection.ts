import { connect } from 'node:net';
import { type Answer, createAnswerReader } from './answer.ts';

/** A keep-alive connection with one request on its way at a time. */
export interface Connection {
  /** True once it is closed, by whichever side. */
  readonly closed: boolean;
  /** Sends the bytes of a request; `onAnswer` gets the answer, or an Error when the connection breaks first. */
  send(request: Buffer, onAnswer: (answer: Answer | Error) => void): void;
  ask(request: Buffer): Promise<Answer>;
  close(): void;
}

/** Connects to a port of 127.0.0.1. */
export function openConnection(port: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    let waiting: ((answer: Answer | Error) => void) | undefined;
    let broken: Error | undefined;

    const settle = (answer: Answer | Error) => {
      const callback = waiting;
      waiting = undefined;
      callback?.(answer);
    };
    const feed = createAnswerReader(settle);

    socket.on('data', (piece: Buffer) => {
      try {
        feed(piece);
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
    socket.on('error', (error) => {
      broken = error;
      reject(error);
    });
    socket.on('close', () => {
      broken ??= new Error('the connection was closed');
      settle(broken);
    });

    const connection: Connection = {
      get closed() {
        return broken !== undefined || socket.destroyed;
      },
      send(request, onAnswer) {
        if (broken !== undefined) return onAnswer(broken);
        waiting = onAnswer;
        socket.write(request);
      },
      ask: (request) =>
        new Promise((answered, failed) => {
          connection.send(request, (answer) => (answer instanceof Error ? failed(answer) : answered(answer)));
        }),
      close: () => socket.destroy(),
    };
    socket.on('connect', () => resolve(connection));
  });
}
