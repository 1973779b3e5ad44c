// Prints the variables that docker-compose.yml wants, freshly made: node deploy/compose/new-env.js > .env
// The agent's API key goes to stderr, once: the file holds its hash only.
import { createHash, randomBytes } from 'node:crypto';

const secret = () => randomBytes(32).toString('hex');
const key = `tb_${randomBytes(32).toString('base64url')}`;

process.stdout.write(
  [
    '# Secrets of docker-compose.yml. Keep this file to yourself.',
    `TOOLBUS_SECRET=${secret()}`,
    `TOOLBUS_API_KEY_HASH=sha256:${createHash('sha256').update(key).digest('hex')}`,
    `NATS_INGRESS_PASSWORD=${secret()}`,
    `NATS_WORKER_PASSWORD=${secret()}`,
    `NATS_ROUTE_PASSWORD=${secret()}`,
    '',
  ].join('\n'),
);
process.stderr.write(`API key of the agent "demo", shown once: ${key}\n`);
