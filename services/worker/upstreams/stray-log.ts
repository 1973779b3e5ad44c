import type { Logger } from 'pino';

/** Logs the number of messages that fit nowhere at 1, 10, 100, …: never their text, and never as fast as they come. */
export function strayLog(log: Logger, server: string): (count: number) => void {
  return (count) => {
    if (Number.isInteger(Math.log10(count))) log.warn({ server, count }, 'upstream sent messages that fit nowhere');
  };
}
