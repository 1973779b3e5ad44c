import pino, { type Logger } from 'pino';

export type { Logger };

export const logLevelNames = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevelName = (typeof logLevelNames)[number];

/**
 * The process' logger: JSON lines on stderr (stdout is data). Log fields, never arguments, results, headers or configuration values.
 */
export function createLogger(level: LogLevelName, service: string): Logger {
  return pino({ level, base: { service, pid: process.pid } }, pino.destination({ dest: 2, sync: true }));
}
