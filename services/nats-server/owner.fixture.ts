// Owns an embedded nats-server on the directory given, prints what a client needs, and stays until somebody ends it.
import { pino } from 'pino';
import { startNatsServer } from './start.ts';

const server = await startNatsServer({ dataDir: process.argv[2] ?? '', log: pino({ level: 'silent' }) });
const { url, user, password, pid } = server;
process.stdout.write(`${JSON.stringify({ url, user, password, pid })}\n`);
setInterval(() => {}, 60_000);
